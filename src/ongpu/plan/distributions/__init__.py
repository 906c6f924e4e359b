"""Distributions that ongpu can install a driver and tools on."""

from __future__ import annotations

from ongpu.host.system import System
from ongpu.plan.choice.branches import PREFERRED
from ongpu.plan.context import Halt
from ongpu.plan.distributions.apt import APT
from ongpu.plan.distributions.base import (
    DefaultRepository,
    Distribution,
    Install,
    OwnFile,
    PackageSet,
    Restore,
    Source,
    Wanted,
)
from ongpu.plan.distributions.dnf import DNF
from ongpu.plan.distributions.zypper import ZYPPER

__all__ = [
    "DefaultRepository",
    "Distribution",
    "Install",
    "OwnFile",
    "PackageSet",
    "Restore",
    "Source",
    "Wanted",
    "distribution_of",
    "offered",
]

# os-release's ID, else one of ID_LIKE -> package manager.
_FAMILIES: tuple[tuple[frozenset[str], Distribution], ...] = (
    (frozenset(("debian", "ubuntu")), APT),
    (frozenset(("rhel", "rocky", "almalinux", "ol", "centos", "fedora", "amzn")), DNF),
    (frozenset(("sles", "sles_sap", "opensuse-leap", "suse")), ZYPPER),
)
_TRANSACTIONAL = frozenset(
    ("sl-micro", "sle-micro", "opensuse-microos", "opensuse-leap-micro", "opensuse-aeon", "opensuse-kalpa")
)


def distribution_of(system: System) -> Distribution:
    """Raises Halt("unsupported") with what can be declared instead."""
    name = system.os_name or system.os_id
    if system.os_id in _TRANSACTIONAL:
        raise Halt(
            "unsupported",
            f"{name} changes its root file system only in transactions, which ongpu leaves alone: install the driver "
            "by transactional-update and declare `driver: {manage: false}`",
        )
    for names in ({system.os_id}, set(system.os_like)):
        for family, distribution in _FAMILIES:
            if names & family:
                return distribution
    raise Halt(
        "unsupported",
        f"ongpu does not know {name} (only Debian, Ubuntu, Red Hat Enterprise Linux and its kin, Fedora, Amazon Linux, "
        "SLES and openSUSE Leap): install the driver and tools yourself and declare `driver: {manage: false}`",
    )


def offered(system: System, source: Source) -> tuple[str, ...]:
    """Driver branches that `branch: auto` chooses from, the one to prefer first. Raises Halt."""
    return PREFERRED if source == "nvidia" else distribution_of(system).archive_branches(system)

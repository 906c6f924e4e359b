"""Distributions that ongpu can install a driver and tools on."""

from __future__ import annotations

from ongpu.host.system import System
from ongpu.plan.context import Halt
from ongpu.plan.distributions.apt import APT
from ongpu.plan.distributions.base import DefaultRepository, Distribution, Install, OwnFile

__all__ = ["DefaultRepository", "Distribution", "Install", "OwnFile", "distribution_of"]


def distribution_of(system: System) -> Distribution:
    """Raises Halt("unsupported") with what can be declared instead."""
    if system.os_id in ("debian", "ubuntu") or {"debian", "ubuntu"} & set(system.os_like):
        return APT
    raise Halt(
        "unsupported",
        f"ongpu cannot install packages on {system.os_name or system.os_id} yet (only Debian and Ubuntu): install the "
        "driver and tools yourself and declare `driver: {manage: false}`",
    )

"""Names of the driver's packages on Red Hat's kin, Fedora and Amazon Linux, and what they need besides.

Sources: NVIDIA driver installation guide (Red Hat Enterprise Linux, Fedora, Amazon Linux, version locking); RPM Fusion,
Howto/NVIDIA; Red Hat, "rhel-drivers".
"""

from __future__ import annotations

from ongpu.host.system import System
from ongpu.plan.choice.branches import major
from ongpu.plan.context import Halt
from ongpu.plan.distributions.base import PackageSet, Wanted

_KIN = ("rhel", "rocky", "almalinux", "ol", "centos")
# Where dkms comes from, when the host's repositories do not have it.
_EPEL = {
    "rocky": "epel-release",
    "almalinux": "epel-release",
    "centos": "epel-release",
    "ol": "oracle-epel-release-el{}",
}


def release(system: System) -> int:
    """9 of `9.4`; 0 for what is no number."""
    head = system.os_version.split(".")[0]
    return int(head) if head.isdecimal() else 0


def is_kin(system: System) -> bool:
    return system.os_id in _KIN or (
        bool({"rhel", "centos"} & set(system.os_like)) and system.os_id not in ("fedora", "amzn")
    )


def packages(wanted: Wanted) -> PackageSet:
    """Compute only, no display. Raises Halt("unsupported")."""
    if wanted.source == "distro":
        raise Halt("unsupported", _no_archive(wanted.system))
    _no_rpm_fusion(wanted)
    module = "kmod-nvidia-open-dkms" if wanted.flavour == "open" else "kmod-nvidia-latest-dkms"
    fabric = ("nvidia-fabricmanager",) if wanted.fabric else ()
    return PackageSet(required=("nvidia-driver-cuda", module), companions=fabric)


def stream(wanted: Wanted) -> str:
    """The module stream that tracks the branch; empty where there are none (Red Hat 10, Fedora)."""
    if not (is_kin(wanted.system) and release(wanted.system) in (8, 9)) and wanted.system.os_id != "amzn":
        return ""
    number = major(wanted.branch)
    return f"nvidia-driver:{number}-{'open' if wanted.flavour == 'open' else 'dkms'}"


def epel(system: System) -> str:
    """The package that adds EPEL. Empty: dkms comes with the distribution, or only the operator can add EPEL."""
    if not is_kin(system):
        return ""
    return _EPEL.get(system.os_id, "").format(release(system))


def builder(system: System) -> str:
    """The repository with what EPEL's packages need: used for our own installation, never enabled for good."""
    number = release(system)
    match system.os_id:
        case "rocky" | "almalinux" | "centos":
            return "powertools" if number == 8 else "crb"
        case "ol":
            return f"ol{number}_codeready_builder"
        case "rhel":
            return f"codeready-builder-for-rhel-{number}-{system.arch}-rpms"
        case _:
            return ""


def headers(system: System) -> str:
    """Packages that DKMS needs; `@` stands for the running kernel's release.

    kernel-devel-matched keeps the headers in step with later kernels; without a release it would bring the newest one.
    """
    if system.os_id == "amzn":
        return "kernel-devel-@ kernel-headers-@ kernel-modules-extra-@"
    if is_kin(system) and release(system) >= 9:
        return "kernel-devel-@ kernel-devel-matched-@ kernel-headers"
    return "kernel-devel-@ kernel-headers"


def _no_archive(system: System) -> str:
    name = system.os_name or system.os_id
    if system.os_id == "rhel":
        return (
            f"{name}: Red Hat's own driver comes by its tool, `rhel-drivers install nvidia`, which chooses the version "
            "itself: run it and declare driver: {manage: false}, or declare source: nvidia"
        )
    if system.os_id == "fedora":
        return (
            f"{name} has no driver; RPM Fusion's (akmod-nvidia) builds its module in the background and follows its "
            "own branch: install it yourself and declare driver: {manage: false}, or declare source: nvidia"
        )
    return f"{name}'s own repositories have no driver that ongpu can choose from: declare source: nvidia"


def _no_rpm_fusion(wanted: Wanted) -> None:
    """RPM Fusion's packages of the driver replace NVIDIA's, and the other way round, with each update."""
    mixed = [p.name for p in wanted.packages.installed if p.name.startswith(("akmod-nvidia", "xorg-x11-drv-nvidia"))]
    if mixed:
        raise Halt(
            "unsupported",
            f"RPM Fusion's driver is installed ({', '.join(mixed)}), which cannot be mixed with NVIDIA's: remove it "
            "(dnf remove '*nvidia*'), or declare driver: {manage: false}",
        )
    if enabled := [source for source in wanted.packages.sources if "rpmfusion" in source and "nonfree" in source]:
        raise Halt(
            "unsupported",
            f"RPM Fusion's repository is enabled ({', '.join(enabled)}) and has packages of the same names as "
            "NVIDIA's: disable it (dnf config-manager), or declare driver: {manage: false}",
        )

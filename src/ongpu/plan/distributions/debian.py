"""Names of the driver's packages on Debian and Ubuntu, from NVIDIA's repository and from the archives.

Sources: NVIDIA driver installation guide (Ubuntu, Debian, version locking); package lists of Ubuntu 22.04, 24.04 and
26.04 (restricted, multiverse) and of Debian 12 and 13 (contrib, non-free).
"""

from __future__ import annotations

import re
from dataclasses import replace

from ongpu.host.system import System
from ongpu.plan.choice.branches import major
from ongpu.plan.context import Halt
from ongpu.plan.distributions.base import PackageSet, Wanted

# Ubuntu's archive: server branches that are kept up to date, the one supported longest first ...
UBUNTU = ("580", "595", "615")
# ... and those whose packages have become empty ones that pull in the next branch.
_MOVED = {"535": "580", "550": "580", "565": "580", "570": "580", "575": "580", "590": "595", "610": "615"}
DEBIAN = {"12": ("535",), "13": ("550",)}

# Kernels for which Ubuntu builds and signs the modules itself (linux-modules-nvidia-...).
_PREBUILT = ("generic", "lowlatency", "aws", "azure", "azure-fde", "gcp", "gke", "ibm", "oracle", "nvidia")
_UBUNTU_KERNEL = re.compile(r"^\d+\.\d+\.\d+-\d+-([a-z][a-z0-9-]*)$")
_FIRST_WITHOUT_BRANCH = 590
_DEBIAN_KERNEL = re.compile(r"^6\.12\.(\d+)\+deb13")
_FIRST_BROKEN = 117
_REVISION = re.compile(r"^550\.163\.01-(\d+)\S*")
_FIRST_MENDED = 4
_PINNING = re.compile(r"^nvidia-driver-pinning-(\d[\d.]*)$")


def packages(wanted: Wanted) -> PackageSet:
    """Raises Halt("unsupported") for what the archive does not have, or has in a state that does not work."""
    ubuntu = wanted.system.os_id == "ubuntu"
    if wanted.source == "nvidia":
        _no_other_pin(wanted)
        chosen = _nvidia_ubuntu(wanted) if ubuntu else _nvidia_debian(wanted)
    else:
        chosen = _ubuntu(wanted) if ubuntu else _debian(wanted)
    return replace(chosen, companions=_fabric_manager(wanted))


def _fabric_manager(wanted: Wanted) -> tuple[str, ...]:
    """It refuses to run with a driver of another version. NVIDIA's package may have the branch in
    its name before 590."""
    if not wanted.fabric:
        return ()
    number = major(wanted.branch)
    plain = "nvidia-fabricmanager"
    if wanted.source == "nvidia" and (number >= _FIRST_WITHOUT_BRANCH or plain in wanted.packages.candidates):
        return (plain,)
    if wanted.source == "distro" and wanted.system.os_id != "ubuntu":
        raise Halt(
            "unsupported",
            "this host has NVSwitches, and Debian's archive has no fabric manager: declare source: nvidia",
        )
    return (f"nvidia-fabricmanager-{number}",)


def archive_branches(system: System) -> tuple[str, ...]:
    if system.os_id == "ubuntu":
        return UBUNTU
    return DEBIAN.get(system.os_version, ()) if system.os_id == "debian" else ()


def _nvidia_debian(wanted: Wanted) -> PackageSet:
    """Compute only, no display."""
    module = "nvidia-kernel-open-dkms" if wanted.flavour == "open" else "nvidia-kernel-dkms"
    return PackageSet(required=("nvidia-driver-cuda", module))


def _nvidia_ubuntu(wanted: Wanted) -> PackageSet:
    """Ubuntu's packages of the parts carry the branch in their names before 590; the whole-stack packages do not."""
    return PackageSet(required=("nvidia-open",) if wanted.flavour == "open" else ("cuda-drivers",))


def _no_other_pin(wanted: Wanted) -> None:
    """NVIDIA's pinning packages beat our pin: one for another branch would leave nothing to install."""
    for package in wanted.packages.installed:
        found = _PINNING.match(package.name)
        if found and major(found[1]) != major(wanted.branch):
            raise Halt(
                "unsupported",
                f"the package {package.name} keeps the driver in {found[1]}, but {wanted.branch} is declared: remove "
                f"it (apt-get remove {package.name}; ongpu writes a pin of its own)",
            )


def _ubuntu(wanted: Wanted) -> PackageSet:
    number = str(major(wanted.branch))
    if number in _MOVED:
        raise Halt(
            "unsupported",
            f"Ubuntu's packages of branch {number} are empty and pull in {_MOVED[number]}: declare {_MOVED[number]}, "
            "or source: nvidia",
        )
    if number not in UBUNTU:
        raise Halt(
            "unsupported",
            f"Ubuntu's archive has no server branch {number}, only {', '.join(UBUNTU)}: declare one of them",
        )
    tail = "-open" if wanted.flavour == "open" else ""
    tools = (f"nvidia-utils-{number}-server", f"nvidia-compute-utils-{number}-server")
    kernel = kernel_flavour(wanted)
    if not kernel:
        return PackageSet(required=(*tools, f"nvidia-headless-{number}-server{tail}"))
    return PackageSet(
        required=(*tools, f"nvidia-headless-no-dkms-{number}-server{tail}"),
        also=(f"linux-modules-nvidia-{number}-server{tail}-{kernel}",),
    )


def kernel_flavour(wanted: Wanted) -> str:
    """Whose prebuilt modules follow this host's kernel (`generic-hwe-24.04`). Empty: DKMS has to build them."""
    found = _UBUNTU_KERNEL.match(wanted.system.kernel)
    name = found[1] if found else ""
    if name not in _PREBUILT:
        return ""
    rolling = f"{name}-hwe-{wanted.system.os_version}"
    return rolling if wanted.packages.find(f"linux-image-{rolling}") else name


def _debian(wanted: Wanted) -> PackageSet:
    version = wanted.system.os_version
    offered = DEBIAN.get(version, ())
    if str(major(wanted.branch)) not in offered:
        has = f"has {', '.join(offered)}" if offered else "is not known to ongpu"
        raise Halt(
            "unsupported",
            f"Debian {version}'s archive {has}, not {wanted.branch}: declare branch: auto, or source: nvidia",
        )
    if wanted.flavour == "open" and version == "12":
        raise Halt(
            "unsupported",
            "Debian 12's open kernel modules stay behind the rest of the driver, which gets security updates, so they "
            "cannot be installed together: declare modules: proprietary, or source: nvidia",
        )
    module = "nvidia-open-kernel-dkms" if wanted.flavour == "open" else "nvidia-kernel-dkms"
    if wanted.flavour == "open" and not wanted.packages.find(module):
        _builds(wanted, module)
    return PackageSet(
        required=("nvidia-smi", "libcuda1", module),
        also=("nvidia-persistenced", "nvidia-modprobe", "firmware-nvidia-gsp"),
    )


def _builds(wanted: Wanted, module: str) -> None:
    """Debian 13's open modules as released do not build for its kernels since 6.12.117: nv-pci.c, too few arguments to
    pci_resize_resource (make.log of 550.163.01-2). trixie-backports has a revision from -4 on."""
    kernel = _DEBIAN_KERNEL.match(wanted.system.kernel)
    candidate = _REVISION.match(wanted.packages.candidates.get(module, ""))
    if kernel and candidate and int(kernel[1]) >= _FIRST_BROKEN and int(candidate[1]) < _FIRST_MENDED:
        raise Halt(
            "unsupported",
            f"{module} {candidate[0]} does not build for the kernel {wanted.system.kernel}: take it from "
            "trixie-backports (550.163.01-4 or later), or declare source: nvidia",
        )

"""NVIDIA's own package repositories: the directory for each distribution, and the key that signs it.

Sources: NVIDIA driver installation guide, network repositories; the key file in each directory is named by the last
eight digits of its fingerprint (https://developer.download.nvidia.com/compute/cuda/repos/). The key changes from
directory to directory: rhel10 and fedora43 have keys whose whole fingerprint is not published where we could check it,
so for them the key or its fingerprint must be declared. The names of their files:
https://github.com/NVIDIA/cuda-repo-management (README, GPG keys).
"""

from __future__ import annotations

from ongpu.host.system import System
from ongpu.plan.distributions.base import DefaultRepository

SITE = "https://developer.download.nvidia.com/compute/cuda/repos"
_ARCH = {"x86_64": "x86_64", "aarch64": "sbsa"}

_CUDATOOLS_DEB = "EB693B3035CD5710E231E123A4B469963BF863CC"
_CUDATOOLS_RPM = "610C7B14E068A878070DA4E99CD0A493D42D0685"
_SIGNED_BY = {
    "debian12": _CUDATOOLS_DEB,
    "debian13": "02182E60104FCDC26EAE1B8597A5D4CB8793F200",
    "ubuntu2204": _CUDATOOLS_DEB,
    "ubuntu2404": _CUDATOOLS_DEB,
    "ubuntu2604": "14BAFBC7562AD710CA04E69905FBB6DA60DF8A40",
    "rhel8": _CUDATOOLS_RPM,
    "rhel9": _CUDATOOLS_RPM,
    "amzn2023": _CUDATOOLS_RPM,
    "fedora42": _CUDATOOLS_RPM,
    "fedora44": "129994480EC63D2789BC98E490DFED2F73CD9B30",
    "sles15": _CUDATOOLS_RPM,
    "rhel10": "",
    "fedora43": "",
}
_KEY_FILES = {"rhel10": "CDF6BA43.pub", "fedora43": "1940C73E.pub"}
# Red Hat Enterprise Linux and what is built from its sources share a directory; so do SLES and openSUSE Leap.
_LIKE_RHEL = ("rhel", "rocky", "almalinux", "ol", "centos")
_LIKE_SLES = ("sles", "sles_sap", "opensuse-leap")


def directory(system: System) -> str:
    """`rhel9`, or empty for a distribution that has none."""
    major = system.os_version.split(".")[0]
    match system.os_id:
        case "debian":
            return f"debian{major}"
        case "ubuntu":
            return f"ubuntu{system.os_version.replace('.', '')}"
        case "fedora":
            return f"fedora{major}"
        case "amzn":
            return f"amzn{major}"
        case name if name in _LIKE_RHEL:
            return f"rhel{major}"
        case name if name in _LIKE_SLES:
            return f"sles{major}"
        case _:
            return ""


def default_repository(system: System) -> DefaultRepository | None:
    """With an empty fingerprint where the key is not known here; None where there is no such directory."""
    name = directory(system)
    if name not in _SIGNED_BY or system.arch not in _ARCH:
        return None
    url = f"{SITE}/{name}/{_ARCH[system.arch]}/"
    return DefaultRepository(url=url, fingerprint=_SIGNED_BY[name], key_file=_KEY_FILES.get(name, ""))

"""Packages beside the driver: what a host has from Debian or from NVIDIA's repository itself."""

from __future__ import annotations

import re
from pathlib import Path

from ongpu_lab.vendor.deb import Package
from ongpu_lab.vendor.driver import guard, script

_PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def dkms() -> Package:
    return Package(
        name="dkms",
        version="3.0.10-8",
        architecture="all",
        description="Dynamic Kernel Module System",
        relations={"Depends": "kmod"},
        files={
            "/usr/sbin/dkms": script("dkms.sh"),
            "/usr/lib/dkms/common.postinst": script("dkms-common-postinst.sh"),
        },
        modes={"/usr/lib/dkms/common.postinst": 0o755},
        scripts=guard("dkms"),
    )


def packageable(kernel: str) -> bool:
    """Whether a package can be named after this kernel; not so for one with capitals (…-microsoft-standard-WSL2)."""
    return bool(_PACKAGE_NAME.fullmatch(f"linux-headers-{kernel}"))


def next_release(kernel: str) -> str:
    """A later release of the same flavour: `6.1.0-56-amd64` -> `6.1.1-56-amd64`."""
    return re.sub(r"^(\d+\.\d+\.)(\d+)", lambda found: f"{found[1]}{int(found[2]) + 1}", kernel)


def headers(kernel: str) -> list[Package]:
    """Headers of the running kernel and of a later one, and the package that follows its flavour (as
    linux-headers-amd64 does)."""
    if not packageable(kernel):
        return []
    later = [_headers(next_release(kernel))] if next_release(kernel) != kernel else []
    found = _headers(kernel)
    name, version = found.name, found.version
    packages = [found, *later]
    flavour = re.sub(r".*[0-9]-", "", kernel)
    if flavour != kernel:
        meta = f"linux-headers-{flavour}"
        relations = {"Depends": f"{name} (= {version})"}
        packages.append(
            Package(
                name=meta, version=version, description="newest header files", relations=relations, scripts=guard(meta)
            )
        )
    return packages


def _headers(kernel: str) -> Package:
    name = f"linux-headers-{kernel}"
    return Package(
        name=name,
        version=re.sub(r"[^0-9.].*", "", kernel) + "-1",
        description=f"header files for Linux {kernel}",
        files={f"/usr/src/{name}/Makefile": "# Headers of a kernel that is not the host's own.\n"},
        links={f"/lib/modules/{kernel}/build": f"/usr/src/{name}"},
        scripts={**guard(name), "postinst": script("headers-postinst.sh", KERNEL=kernel)},
    )


def keyring(site: str, directory: str, key: Path) -> Package:
    """NVIDIA's `cuda-keyring` for one repository directory: key (binary), source, and a preference for it."""
    url = f"https://{site}/compute/cuda/repos/{directory}/x86_64/"
    path = "/usr/share/keyrings/cuda-archive-keyring.gpg"
    source = f"/etc/apt/sources.list.d/cuda-{directory}-x86_64.list"
    pin = "/etc/apt/preferences.d/cuda-repository-pin-600"
    return Package(
        name="cuda-keyring",
        version="1.1-1",
        architecture="all",
        description="key and source of NVIDIA's repository",
        files={
            path: key,
            source: f"deb [signed-by={path}] {url} /\n",
            pin: "Package: nsight-compute\nPin: origin *ubuntu.com*\nPin-Priority: -1\n\n"
            "Package: *\nPin: release l=NVIDIA CUDA\nPin-Priority: 600\n",
        },
        conffiles=(source, pin),
        scripts=guard("cuda-keyring"),
    )

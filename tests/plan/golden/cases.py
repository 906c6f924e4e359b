"""Hosts: distribution, kernel, GPUs, and what is declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PRETTY = {
    "debian": "Debian GNU/Linux",
    "ubuntu": "Ubuntu",
    "rhel": "Red Hat Enterprise Linux",
    "rocky": "Rocky Linux",
    "almalinux": "AlmaLinux",
    "ol": "Oracle Linux Server",
    "centos": "CentOS Stream",
    "fedora": "Fedora Linux",
    "amzn": "Amazon Linux",
    "sles": "SUSE Linux Enterprise Server",
    "opensuse-leap": "openSUSE Leap",
    "opensuse-tumbleweed": "openSUSE Tumbleweed",
    "sl-micro": "SUSE Linux Micro",
    "arch": "Arch Linux",
}
LIKE = {
    "ubuntu": ("debian",),
    "rhel": ("fedora",),
    "rocky": ("rhel", "centos", "fedora"),
    "almalinux": ("rhel", "centos", "fedora"),
    "ol": ("fedora",),
    "centos": ("rhel", "fedora"),
    "amzn": ("fedora",),
    "sles": ("suse",),
    "opensuse-leap": ("suse", "opensuse"),
    "opensuse-tumbleweed": ("opensuse", "suse"),
    "sl-micro": ("suse",),
}
KERNELS = {
    ("debian", "12"): "6.1.0-40-amd64",
    ("debian", "13"): "6.12.48+deb13-amd64",
    ("ubuntu", "22.04"): "5.15.0-151-generic",
    ("ubuntu", "24.04"): "6.8.0-79-generic",
    ("ubuntu", "26.04"): "7.0.0-15-generic",
    ("fedora", "42"): "6.16.7-200.fc42.x86_64",
    ("fedora", "44"): "7.0.4-200.fc44.x86_64",
    ("amzn", "2023"): "6.1.150-174.273.amzn2023.x86_64",
    ("sles", "15.6"): "6.4.0-150600.23.65-default",
    ("opensuse-leap", "15.6"): "6.4.0-150600.23.65-default",
}
_EL = {8: "4.18.0-553.el8", 9: "5.14.0-570.el9", 10: "6.12.0-124.el10"}
# What the sources offer: of NVIDIA's repositories, and of the archives.
NVIDIA = ("570.195.03", "580.82.07", "580.95.05", "595.71.05", "615.71.09")
ARCHIVE = {
    ("debian", "12"): ("535.309.01",),
    ("debian", "13"): ("550.163.01",),
    ("ubuntu", ""): ("580.178.04", "595.91.07", "615.71.09"),
}


@dataclass(frozen=True)
class Case:
    """`driver` and `ollama` are what the inventory declares; `packages` are installed on the host (name -> version)."""

    os: tuple[str, str]
    gpus: tuple[str, ...] = ("A100",)
    driver: dict[str, Any] = field(default_factory=dict)
    release: str = "0.32.15"
    arch: str = "x86_64"
    kernel: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    @property
    def uname(self) -> str:
        if self.kernel:
            return self.kernel
        version = self.os[1]
        major = int(version.split(".")[0]) if version[:1].isdecimal() else 0
        return KERNELS.get(self.os) or f"{_EL.get(major, '6.1.0')}.{self.arch}"

    @property
    def pretty(self) -> str:
        return f"{PRETTY[self.os[0]]} {self.os[1]}"

    def offered(self) -> tuple[str, ...]:
        if self.driver.get("source") != "distro":
            return NVIDIA
        return ARCHIVE.get(self.os) or ARCHIVE.get((self.os[0], ""), ())

    def package_version(self, driver: str) -> str:
        """As this distribution's packages write it."""
        name, version = self.os
        major = version.split(".")[0]
        if name == "ubuntu":
            archive = self.driver.get("source") == "distro"
            return f"{driver}-0ubuntu0.{version}.1" if archive else f"{driver}-1ubuntu1"
        if name == "debian":
            return f"{driver}-1~deb{major}u1" if self.driver.get("source") == "distro" else f"{driver}-1"
        if name in ("sles", "opensuse-leap"):
            return f"{driver}-1"
        tail = {"fedora": f"fc{major}", "amzn": f"amzn{major}"}.get(name, f"el{major}")
        return f"3:{driver}-1.{tail}"


OPEN = {"modules": "open"}
OLD = ("V100",)
DISTRO = {"source": "distro"}
MIRROR = {"repository": {"url": "https://mirror.example/nvidia/rhel9/x86_64/", "key_fingerprint": "A" * 40}}
EL10 = {"repository": {"key_fingerprint": "B" * 40}}

PLANS: dict[str, Case] = {
    "debian12-nvidia-open": Case(("debian", "12")),
    "debian12-nvidia-proprietary": Case(("debian", "12"), OLD),
    "debian12-distro-proprietary": Case(("debian", "12"), ("T4",), {**DISTRO, "branch": "auto"}, "0.24.0"),
    "debian13-nvidia-open-595": Case(("debian", "13"), ("B200",), {"branch": "595"}),
    "debian13-distro-proprietary": Case(("debian", "13"), OLD, {**DISTRO, "branch": "auto"}),
    "debian13-distro-open": Case(("debian", "13"), ("T4",), {**DISTRO, "branch": "550", **OPEN}),
    "ubuntu2204-nvidia-open": Case(("ubuntu", "22.04")),
    "ubuntu2204-nvidia-proprietary": Case(("ubuntu", "22.04"), OLD),
    "ubuntu2204-distro-open": Case(("ubuntu", "22.04"), driver=DISTRO),
    "ubuntu2404-nvidia-open-595-arm": Case(
        ("ubuntu", "24.04"), ("GH200",), {"branch": "595"}, arch="aarch64", kernel="6.8.0-1035-nvidia-64k"
    ),
    "ubuntu2404-distro-proprietary": Case(("ubuntu", "24.04"), OLD, DISTRO),
    "ubuntu2404-distro-open-hwe": Case(
        ("ubuntu", "24.04"),
        driver=DISTRO,
        kernel="6.14.0-29-generic",
        packages={"linux-image-generic-hwe-24.04": "6.14.0-29.29~24.04.1"},
    ),
    "ubuntu2404-distro-open-aws": Case(("ubuntu", "24.04"), ("L4",), DISTRO, kernel="6.14.0-1012-aws"),
    "ubuntu2404-distro-open-dkms": Case(("ubuntu", "24.04"), driver=DISTRO, kernel="6.8.12-custom"),
    "ubuntu2604-nvidia-open": Case(("ubuntu", "26.04"), ("RTX 5090",)),
    "ubuntu2604-distro-open-615": Case(("ubuntu", "26.04"), ("B300",), {**DISTRO, "branch": "615"}),
    "rhel8-nvidia-open": Case(("rhel", "8.10")),
    "rocky8-nvidia-proprietary": Case(("rocky", "8.10"), OLD),
    "rhel9-nvidia-open": Case(("rhel", "9.6")),
    "rocky9-nvidia-open": Case(("rocky", "9.6")),
    "rocky9-nvidia-proprietary": Case(("rocky", "9.6"), OLD),
    "rocky9-nvidia-open-exact": Case(("rocky", "9.6"), driver={"branch": "580.82.07"}),
    "rocky9-nvidia-open-no-hold": Case(("rocky", "9.6"), driver={"hold": False}),
    "rocky9-mirror-open": Case(("rocky", "9.6"), driver=MIRROR),
    "almalinux9-nvidia-open-595": Case(("almalinux", "9.6"), ("H100",), {"branch": "595"}),
    "oracle9-nvidia-open": Case(("ol", "9.6")),
    "rocky10-nvidia-open": Case(("rocky", "10.0"), driver=EL10),
    "rocky10-nvidia-proprietary": Case(("rocky", "10.0"), OLD, EL10),
    "rhel9-nvidia-open-arm64k": Case(("rhel", "9.6"), ("GH200",), arch="aarch64", kernel="5.14.0-570.el9.aarch64+64k"),
    "fedora42-nvidia-open": Case(("fedora", "42")),
    "fedora44-nvidia-open-595": Case(("fedora", "44"), ("RTX 5090",), {"branch": "595"}),
    "amazon2023-nvidia-open": Case(("amzn", "2023"), ("L4",)),
    "amazon2023-nvidia-proprietary": Case(("amzn", "2023"), OLD),
    "sles15-nvidia-open": Case(("sles", "15.6")),
    "sles15-nvidia-proprietary": Case(("sles", "15.6"), OLD),
    "leap15-nvidia-open": Case(("opensuse-leap", "15.6"), ("RTX 4060",)),
}

REFUSALS: dict[str, Case] = {
    "Debian 12 from its archive, for an Ollama that needs 550": Case(
        ("debian", "12"), ("T4",), {**DISTRO, "branch": "535"}
    ),
    "Debian 12 from its archive, open modules": Case(
        ("debian", "12"), ("T4",), {**DISTRO, "branch": "535", **OPEN}, "0.24.0"
    ),
    "Debian 12 from its archive, branch 580": Case(("debian", "12"), ("T4",), DISTRO),
    "Debian 13 from its archive, a Pascal GPU": Case(("debian", "13"), ("GTX 1080 Ti",), {**DISTRO, "branch": "auto"}),
    "Debian 13 from its archive, a Blackwell GPU": Case(("debian", "13"), ("RTX 5090",), {**DISTRO, "branch": "auto"}),
    "Debian 11 from NVIDIA": Case(("debian", "11")),
    "Debian 12, NVIDIA's pinning package of another branch": Case(
        ("debian", "12"), packages={"nvidia-driver-pinning-595": "595.71.05-1"}
    ),
    "Ubuntu from its archive, a branch that has moved on": Case(
        ("ubuntu", "24.04"), ("T4",), {**DISTRO, "branch": "570"}
    ),
    "Ubuntu from its archive, a branch that it never had": Case(
        ("ubuntu", "24.04"), ("T4",), {**DISTRO, "branch": "600"}
    ),
    "Ubuntu from its archive, proprietary modules of 615": Case(
        ("ubuntu", "24.04"), ("T4",), {**DISTRO, "branch": "615", "modules": "proprietary"}
    ),
    "Rocky 10 from NVIDIA, whose key there is not known": Case(("rocky", "10.0")),
    "Fedora 43 from NVIDIA, whose key there is not known": Case(("fedora", "43")),
    "Rocky 9 from its own repositories": Case(("rocky", "9.6"), driver=DISTRO),
    "Red Hat 10 from its own repositories": Case(("rhel", "10.1"), driver=DISTRO),
    "Fedora with RPM Fusion's driver": Case(("fedora", "44"), packages={"akmod-nvidia": "595.71.05-1.fc44"}),
    "Fedora with RPM Fusion's repository": Case(
        ("fedora", "44"), sources=("https://mirrors.rpmfusion.org/metalink?repo=nonfree-fedora-44&arch=x86_64",)
    ),
    "Fedora from its own repositories": Case(("fedora", "44"), driver=DISTRO),
    "Amazon Linux from its own repositories": Case(("amzn", "2023"), driver=DISTRO),
    "SLES from its own repositories": Case(("sles", "15.6"), driver=DISTRO),
    "SUSE Linux Micro": Case(("sl-micro", "6.1")),
    "openSUSE Tumbleweed": Case(("opensuse-tumbleweed", "20261101")),
    "Arch": Case(("arch", "rolling")),
    "a Volta and a Blackwell GPU in one host": Case(("rocky", "9.6"), ("V100", "B200")),
    "a Volta GPU with branch 595": Case(("ubuntu", "24.04"), ("V100",), {"branch": "595"}),
    "a Kepler GPU": Case(("debian", "12"), ("K80",)),
}

"""Which manager a host has, its tools, its keys, and how it keeps a branch."""

from __future__ import annotations

import dataclasses
import fnmatch

import pytest

from ongpu.host.system import Packages, System
from ongpu.plan.context import Halt
from ongpu.plan.distributions import distribution_of, offered
from ongpu.plan.distributions.apt import APT
from ongpu.plan.distributions.base import Wanted
from ongpu.plan.distributions.dnf import DNF, other_branches
from ongpu.plan.distributions.nvidia import default_repository, directory
from ongpu.plan.distributions.zypper import ZYPPER
from tests.plan.world import World


def system(os_id: str, version: str = "9.6", like: tuple[str, ...] = (), arch: str = "x86_64") -> System:
    blank = World(arch=arch).snapshot().system.value  # type: ignore[union-attr]
    return dataclasses.replace(blank, os_id=os_id, os_version=version, os_like=like)


@pytest.mark.parametrize(
    ("os_id", "like", "manager"),
    [
        ("debian", (), APT),
        ("linuxmint", ("ubuntu", "debian"), APT),
        ("rhel", ("fedora",), DNF),
        ("rocky", ("rhel", "centos", "fedora"), DNF),
        ("cloudlinux", ("rhel", "fedora", "centos"), DNF),
        ("fedora", (), DNF),
        ("amzn", ("fedora",), DNF),
        ("sles", ("suse",), ZYPPER),
        ("opensuse-leap", ("suse", "opensuse"), ZYPPER),
    ],
)
def test_the_manager_of_a_distribution(os_id: str, like: tuple[str, ...], manager: object) -> None:
    assert distribution_of(system(os_id, like=like)) is manager


@pytest.mark.parametrize("os_id", ["arch", "sl-micro", "opensuse-microos", "gentoo", ""])
def test_others_are_left_alone(os_id: str) -> None:
    with pytest.raises(Halt) as caught:
        distribution_of(system(os_id, like=("suse",) if "micro" in os_id else ()))
    assert "driver: {manage: false}" in caught.value.why


@pytest.mark.parametrize(
    ("os_id", "version", "name", "key"),
    [
        ("debian", "12", "debian12", "3BF863CC"),
        ("debian", "13", "debian13", "8793F200"),
        ("ubuntu", "22.04", "ubuntu2204", "3BF863CC"),
        ("ubuntu", "24.04", "ubuntu2404", "3BF863CC"),
        ("ubuntu", "26.04", "ubuntu2604", "60DF8A40"),
        ("rhel", "8.10", "rhel8", "D42D0685"),
        ("rocky", "9.6", "rhel9", "D42D0685"),
        ("almalinux", "9.6", "rhel9", "D42D0685"),
        ("ol", "9.6", "rhel9", "D42D0685"),
        ("rocky", "10.0", "rhel10", ""),
        ("fedora", "42", "fedora42", "D42D0685"),
        ("fedora", "43", "fedora43", ""),
        ("fedora", "44", "fedora44", "73CD9B30"),
        ("amzn", "2023", "amzn2023", "D42D0685"),
        ("sles", "15.6", "sles15", "D42D0685"),
        ("opensuse-leap", "15.6", "sles15", "D42D0685"),
    ],
)
def test_nvidias_directory_and_key(os_id: str, version: str, name: str, key: str) -> None:
    assert directory(system(os_id, version)) == name
    found = default_repository(system(os_id, version))
    assert found is not None
    assert found.url.endswith(f"/repos/{name}/x86_64/")
    assert found.fingerprint.endswith(key)
    assert len(found.fingerprint) in ((40,) if key else (0,))
    server = default_repository(system(os_id, version, arch="aarch64"))
    assert server is not None
    assert server.url.endswith(f"/{name}/sbsa/")


def test_there_is_none_for_others() -> None:
    assert default_repository(system("debian", "11")) is None
    assert default_repository(system("opensuse-tumbleweed", "20261101")) is None
    assert default_repository(system("debian", "12", arch="riscv64")) is None


@pytest.mark.parametrize("branch", ["580", "595", "570.195.03"])
def test_the_entry_leaves_out_every_other_branch(branch: str) -> None:
    patterns = other_branches(branch)
    number = branch.split(".")[0]
    for other in (*range(390, 700, 5), 1000):
        name = f"nvidia-driver-cuda-3:{other}.10.05-1.el9.x86_64"
        hidden = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        assert hidden == (str(other) != number), name
    assert not any(fnmatch.fnmatchcase("cuda-toolkit-13-0-13.0.2-1.x86_64", pattern) for pattern in patterns)
    assert f"excludepkgs={','.join(patterns)}" in DNF.source("https://x/", branch).content


def test_what_auto_chooses_from() -> None:
    assert offered(system("rocky"), "nvidia") == ("580", "595")
    assert offered(system("debian", "13"), "distro") == ("550",)
    assert offered(system("ubuntu", "24.04"), "distro") == ("580", "595", "615")
    assert offered(system("rocky"), "distro") == ()


def test_the_tools_of_each_manager() -> None:
    names = ["curl", "zstd", "tar", "gzip", "gpg", "sha256sum", "awk"]
    common = {"curl", "ca-certificates", "zstd", "tar", "gzip", "coreutils"}
    assert set(APT.tools(names)) == common | {"gpg", "mawk"}
    assert set(DNF.tools(names)) == common | {"gnupg2", "gawk"}
    assert set(ZYPPER.tools(names)) == common | {"gpg2", "gawk"}


@pytest.mark.parametrize(
    ("kernel", "offered", "refused"),
    [
        ("6.12.117+deb13-amd64", "550.163.01-2", True),
        ("6.12.120+deb13-cloud-amd64", "550.163.01-2+deb13u1", True),
        ("6.12.117+deb13-amd64", "550.163.01-4~bpo13+1", False),
        ("6.12.48+deb13-amd64", "550.163.01-2", False),
        ("6.12.117+deb13-amd64", "", False),  # not looked up yet
    ],
)
def test_debian_13s_open_modules_that_do_not_build(kernel: str, offered: str, refused: bool) -> None:
    host = dataclasses.replace(system("debian", "13"), kernel=kernel)
    candidates = {"nvidia-open-kernel-dkms": offered} if offered else {}
    packages = Packages(manager="apt", installed=(), candidates=candidates, sources=(), broken=())
    wanted = Wanted(system=host, packages=packages, source="distro", branch="550", flavour="open")
    if not refused:
        assert APT.driver_packages(wanted).required[-1] == "nvidia-open-kernel-dkms"
        return
    with pytest.raises(Halt) as caught:
        APT.driver_packages(wanted)
    assert f"nvidia-open-kernel-dkms {offered} does not build for the kernel {kernel}" in caught.value.why

"""Packages of rpm hosts: locks, offers, repositories, and what an interrupted transaction leaves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.system import Packages
from ongpu.probe.output import Output
from ongpu.probe.sections import packages
from tests.probe.sections.samples import output

RPM = (
    "nvidia-driver-cuda\t580.95.05-1.el9\tx86_64\nkmod-nvidia-open-dkms\t580.95.05-1.el9\tnoarch\n"
    "nvidia-persistenced\t580.95.05-1.el9\tx86_64\ncurl\t7.76.1-31.el9\tx86_64"
)
# dnf 4.14, `versionlock add --raw`
LOCKS_4 = """
# Added lock on Tue Nov 24 15:00:04 2026
nvidia-driver-cuda-3:580.95.05-1.el9.*
# another version of it is locked
kmod-nvidia-open-dkms-3:580.82.07-1.el9.*
"""
# zypper 1.14, /etc/zypp/locks
LOCKS_ZYPP = """
type: package
match_type: glob
case_sensitive: on
solvable_name: nvidia-persistenced
"""
OFFERS = (
    "# Managed by ongpu: what the repository of the driver offers in branch 580.\n"
    "nvidia-driver-cuda 3:580.95.05-1.el9\nkmod-nvidia-open-dkms 3:580.95.05-1.el9"
)
REPOS = """[baseos]
mirrorlist=https://mirrors.rockylinux.org/mirrorlist?arch=x86_64&repo=BaseOS-9
enabled=1
[cuda-rhel9-x86_64]
baseurl=https://developer.download.nvidia.com/compute/cuda/repos/rhel9/x86_64
enabled=1
[old-cuda]
enabled=0
baseurl=https://mirror.example/cuda
[rpmfusion-nonfree]
metalink=https://mirrors.rpmfusion.org/metalink?repo=nonfree-fedora-44&arch=x86_64"""


def value(**parts: str) -> Packages:
    given_parts = {"rpm": RPM, "locks": "", "repos": "", "offers": "", "manager": "dnf"} | parts
    found = packages.parse(output("packages", **given_parts))
    assert isinstance(found, Known), found
    return found.value


def held(found: Packages) -> list[str]:
    return [package.name for package in found.installed if package.held]


def test_held_is_what_is_locked_at_its_installed_version() -> None:
    assert held(value(locks=LOCKS_4)) == ["nvidia-driver-cuda"]
    assert held(value(locks=LOCKS_ZYPP)) == ["nvidia-persistenced"]
    assert held(value(locks='[[packages]]\nname = "nvidia-driver-cuda"')) == ["nvidia-driver-cuda"]
    assert held(value()) == []


def test_candidates_are_what_the_repository_offered_last() -> None:
    assert value(offers=OFFERS).candidates == {
        "nvidia-driver-cuda": "3:580.95.05-1.el9",
        "kmod-nvidia-open-dkms": "3:580.95.05-1.el9",
    }
    assert value().candidates == {}


def test_sources_are_the_enabled_repositories_with_the_driver() -> None:
    assert value(repos=REPOS).sources == (
        "https://developer.download.nvidia.com/compute/cuda/repos/rhel9/x86_64",
        "https://mirrors.rpmfusion.org/metalink?repo=nonfree-fedora-44&arch=x86_64",
    )


def test_two_versions_of_a_package_are_a_broken_one() -> None:
    found = value(rpm=f"{RPM}\nnvidia-driver-cuda\t580.82.07-1.el9\tx86_64\nkernel-devel\t1\tx\nkernel-devel\t2\tx")
    assert found.broken == ("nvidia-driver-cuda",)
    assert [package.name for package in found.installed if not package.is_sound] == ["nvidia-driver-cuda"] * 2


@settings(max_examples=60)
@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_any_text_gets_an_answer(rpm: str, locks: str, repos: str, offers: str) -> None:
    found = packages.parse(output("packages", rpm=rpm, locks=locks, repos=repos, offers=offers, manager="dnf"))
    assert isinstance(found, Known | Absent | Unreadable)


@pytest.mark.parametrize("text", ["", "x", "a b c", "#"])
def test_half_an_offer_is_none(text: str) -> None:
    assert value(offers=text).candidates == {}


def test_the_section_reads_the_files_of_both_managers() -> None:
    for path in ("/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml", "/etc/zypp/locks"):
        assert path in packages.SHELL
    assert isinstance(packages.parse(Output("packages")), Unreadable)

"""Packages, holds, half-installed ones, candidates and sources; rpm."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.system import Package, Packages
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import packages
from tests.probe.sections.samples import PACKAGES, output
from tests.probe.shells import SHELLS, section, tool


def value(one: Output) -> Packages:
    found = packages.parse(one)
    assert isinstance(found, Known), found
    return found.value


def test_apt() -> None:
    found = value(output("packages", **PACKAGES))
    assert found.manager == "apt"
    assert found.find("nvidia-driver-cuda") == Package(
        name="nvidia-driver-cuda", version="580.95.05-1", status="hi", held=True
    )
    assert found.find("libcuda1:i386") is not None, "another architecture is another package"
    assert found.find("libcuda1") is None
    assert found.find("nvidia-smi") is None, "removed, only its configuration is left"
    assert found.find("man-db") is None
    half = found.find("nvidia-kernel-open-dkms")
    assert half is not None
    assert not half.is_sound
    assert found.broken == ("nvidia-kernel-open-dkms", "man-db"), "any half-installed package stops apt"
    assert found.candidates == {
        "nvidia-driver-cuda": "580.95.05-1",
        "nvidia-driver": "535.261.03-1~deb12u1",
        "linux-headers-amd64": "6.1.153-1",
    }
    assert found.sources == (
        "https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64",
        "http://mirror.example/debian bookworm/non-free",
    )


def test_a_package_that_needs_to_be_reinstalled_is_broken() -> None:
    found = value(output("packages", dpkg="ii |dpkg|amd64|1\nuiR|nvidia-smi|amd64|535\nrn |curl|amd64|", apt=""))
    assert found.broken == ("nvidia-smi",)
    assert found.find("curl") is None


@pytest.mark.parametrize(
    "part",
    [
        Part(None, str(PACKAGES["dpkg"])),
        Part(0, "dpkg-query: error: failed to open package info file\n@failed 2"),
        Part(0, "ii |curl|amd64|7"),
        Part(0, ""),
        Part(0, "@failed 124"),
    ],
    ids=["cut", "failed", "no dpkg", "empty", "slow"],
)
@pytest.mark.parametrize("name", ["dpkg"])
def test_half_a_list_is_none(part: Part, name: str) -> None:
    """A package that is missing in it would be taken for not installed."""
    assert isinstance(packages.parse(output("packages", **PACKAGES | {name: part})), Unreadable)


def test_candidates_that_could_not_be_asked() -> None:
    for text in ("@failed 124", "E: The package lists are corrupt\n@failed 100"):
        found = packages.parse(output("packages", **PACKAGES | {"apt": text}))
        assert isinstance(found, Unreadable)
        assert found.why.startswith("apt-cache policy: ")
    assert isinstance(packages.parse(output("packages", False, dpkg=PACKAGES["dpkg"])), Unreadable)
    assert value(output("packages", dpkg=PACKAGES["dpkg"])).manager == "dpkg"


def test_neither_dpkg_nor_rpm() -> None:
    assert isinstance(packages.parse(output("packages", none="no")), Absent)
    assert isinstance(packages.parse(Output("packages")), Unreadable)


RPM = "nvidia-driver\t580.95.05-1.el9\tx86_64\nnvidia-driver-cuda\t580.95.05-1.el9\tx86_64\ncurl\t7.76.1-31.el9\tx86_64"


def test_rpm_with_locks_of_dnf_4_and_5() -> None:
    four = value(output("packages", rpm=RPM, locks="nvidia-driver-3:580.95.05-1.el9.*", manager="dnf"))
    assert four.manager == "dnf"
    assert [(package.name, package.held) for package in four.installed] == [
        ("nvidia-driver", True),
        ("nvidia-driver-cuda", False),
        ("curl", False),
    ]
    toml = '[[packages]]\nname = "nvidia-driver-cuda"\ncomment = "x"'
    five = value(output("packages", rpm=RPM, locks=toml))
    assert five.manager == "rpm"
    assert [package.name for package in five.installed if package.held] == ["nvidia-driver-cuda"]


@pytest.mark.parametrize(
    "change",
    [{"rpm": Part(None, RPM)}, {"rpm": "error: rpmdb open failed"}, {"locks": Part(None, "")}],
    ids=["cut", "broken", "locks"],
)
def test_rpm_that_does_not_answer(change: dict[str, str | Part]) -> None:
    parts: dict[str, str | Part] = {"rpm": RPM, "locks": "", "manager": "dnf"}
    assert isinstance(packages.parse(output("packages", **parts | change)), Unreadable)


@pytest.mark.parametrize("shell", SHELLS)
def test_dpkg_is_asked(shell: tuple[str, ...], tmp_path: Path) -> None:
    """Its exit code goes through the pipe, and so does that of apt-cache."""
    if not Path("/var/lib/dpkg/status").exists():
        pytest.skip("no dpkg here")
    tools = tmp_path / "tools"
    rows = str(PACKAGES["dpkg"]).replace("\n", "\\n") + "\\nii |zsh|amd64|5.9\\n"
    tool(tools, "dpkg-query", f"printf '{rows}'")
    tool(tools, "apt-cache", "echo nvidia-driver:; echo '  Candidate: 1'; echo \"$@\" >&2; exit 0")
    found = value(section(shell, packages.SECTION, tools))
    assert found.broken == ("nvidia-kernel-open-dkms", "man-db")
    assert found.candidates == {"nvidia-driver": "1"}
    tool(tools, "apt-cache", "echo 'E: broken' >&2; exit 100")
    blind = packages.parse(section(shell, packages.SECTION, tools))
    assert blind == Unreadable("apt-cache policy: exit 100: E: broken")
    tool(tools, "dpkg-query", f"printf '{rows}'; echo 'dpkg-query: error: no' >&2; exit 2")
    assert packages.parse(section(shell, packages.SECTION, tools)) == Unreadable(
        "dpkg-query: exit 2: dpkg-query: error: no"
    )

"""Whose driver it is: Jetson, WSL, vGPU guests, systems that change as a whole; other installers; the fabric."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.host.platform import Fabric, Installers, Platform
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import fabric, installers, platform
from tests.probe.sections.samples import FABRIC, INSTALLERS, PLATFORM, Parts, output
from tests.probe.sections.trees import on_tree, put
from tests.probe.shells import SHELLS, tool

Changed = dict[str, str | Part | None]


def parts(sample: Parts, changed: Changed) -> Parts:
    return {name: part for name, part in (sample | changed).items() if part is not None}


def kind(**changed: str | Part | None) -> Platform:
    found = platform.parse(output("platform", **parts(PLATFORM, changed)))
    assert isinstance(found, Known)
    return found.value


ORIN = "/etc/nv_tegra_release\t# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"jetson": f"NVIDIA Jetson AGX Orin Developer Kit\n{ORIN}"}, "Jetson (NVIDIA Jetson AGX Orin"),
        ({"jetson": ORIN}, "Jetson (L4T R36 (release), REVISION: 4.3)"),
        ({"jetson": "Raspberry Pi 5 Model B Rev 1.0"}, ""),
        ({"wsl": "/proc/sys/kernel/osrelease\t5.15.167.4-microsoft-standard-WSL2\ndxg\tyes"}, "WSL (5.15.167.4"),
        ({"immutable": "ostree"}, "as a whole (ostree)"),
        ({"immutable": "root is read-only\ntransactional-update"}, "as a whole (transactional-update)"),
        ({"guest": "/usr/bin/nvidia-gridd"}, "vGPU guest"),
    ],
)
def test_left_alone(changed: Changed, said: str) -> None:
    found = kind(**changed)
    assert said in found.left_alone
    assert bool(said) == bool(found.left_alone)
    assert found.unknown is None


def test_an_unknown_kind_of_system_is_said() -> None:
    found = kind(immutable=Part(None, ""))
    assert found.left_alone == ""
    assert isinstance(found.unknown, Unreadable)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_tree(shell: tuple[str, ...], tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano\0",
            "proc/sys/kernel/osrelease": "5.15.148-tegra\n",
            "proc/self/mounts": "/dev/vda1 / ext4 rw,ro_x 0 0\n/dev/vda2 /usr ext4 ro,relatime 0 0\n",
            "usr/bin/nvidia-gridd": "",
        },
    )
    found = platform.parse(
        on_tree(shell, platform.SECTION, tmp_path, None, "/proc", "/etc", "/run", "/usr/bin", "/dev")
    )
    assert isinstance(found, Known)
    assert value_or_none(found.value.jetson) == "NVIDIA Jetson Orin Nano"
    assert value_or_none(found.value.immutable) == "/usr is read-only"
    assert isinstance(found.value.wsl, Absent)
    assert isinstance(found.value.vgpu_guest, Known)


# --- other installers


def others(**changed: str | Part | None) -> Installers:
    found = installers.parse(output("installers", **parts(INSTALLERS, changed)))
    assert isinstance(found, Known)
    return found.value


def test_unattended_upgrades_and_a_run_file() -> None:
    found = others()
    (upgrades,) = value_or_none(found.automatic) or ()
    assert (upgrades.tool, upgrades.active, upgrades.excluded) == ("unattended-upgrades", True, ("nvidia-",))
    assert isinstance(found.runfile, Known)
    assert (found.runfile.value.uninstaller, found.runfile.value.version) == ("/usr/bin/nvidia-uninstall", "550.54.15")
    assert isinstance(others(runfile="").runfile, Absent)
    assert isinstance(others(runfile=Part(None, "")).runfile, Unreadable)


@pytest.mark.parametrize(
    "changed",
    [
        {"apt": 'APT::Periodic::Unattended-Upgrade "0";'},
        {"apt": 'APT::Periodic::Update-Package-Lists "1";'},
        {"apt": 'APT::Periodic::Unattended-Upgrade "1";\nAPT::Periodic::Enable "0";'},
        {"timers": "Id=apt-daily-upgrade.timer\nLoadState=loaded\nActiveState=inactive"},
    ],
)
def test_unattended_upgrades_that_are_off(changed: Changed) -> None:
    (upgrades,) = value_or_none(others(**changed).automatic) or ()
    assert not upgrades.active


def test_dnf_automatic() -> None:
    timer = "Id=dnf-automatic.timer\nLoadState=loaded\nActiveState=active"
    changed: Changed = {"timers": timer, "upgrader": None, "apt": None, "excludes": "nvidia* kernel*,x"}
    (found,) = value_or_none(others(**changed, automatic="yes").automatic) or ()
    assert (found.tool, found.active, found.excluded) == ("dnf-automatic.timer", True, ("nvidia*", "kernel*", "x"))
    assert value_or_none(others(**changed, automatic="no").automatic) == (), "it only downloads"


def test_no_look_is_no_answer() -> None:
    assert isinstance(others(timers=Part(1, "Failed to connect to bus")).automatic, Unreadable)
    assert isinstance(others(timers=None, nosystemd="no").automatic, Absent)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_run_file_is_one_that_no_package_owns(shell: tuple[str, ...], tmp_path: Path) -> None:
    put(tmp_path, {"usr/bin/nvidia-uninstall": "", "var/log/nvidia-installer.log": "x\ninstaller version: 580.95.05\n"})

    def look() -> Installers:
        found = installers.parse(
            on_tree(shell, installers.SECTION, tmp_path, tmp_path / "tools", "/usr/bin", "/var/log", "/etc/dnf")
        )
        assert isinstance(found, Known)
        return found.value

    tool(tmp_path / "tools", "dpkg-query", "exit 1")
    found = look().runfile
    assert isinstance(found, Known)
    assert found.value.version == "580.95.05"
    tool(tmp_path / "tools", "dpkg-query", 'echo "nvidia-installer: $2"')
    assert isinstance(look().runfile, Absent)


# --- fabric


def switched(**changed: str | Part | None) -> Fabric:
    found = fabric.parse(output("fabric", **parts(FABRIC, changed)))
    assert isinstance(found, Known)
    return found.value


def test_an_nvswitch_machine() -> None:
    found = switched()
    assert value_or_none(found.switches) == ("0000:85:00.0", "0000:86:00.0")
    assert value_or_none(found.needs_manager) is True
    assert isinstance(found.manager, Known)
    assert value_or_none(found.manager.value.version) == "550.163.01"
    assert (found.manager.value.state, found.manager.value.enabled) == ("active", "enabled")
    assert value_or_none(found.persistenced) == "active"


@pytest.mark.parametrize(
    ("changed", "needs"),
    [
        ({"switches": ""}, False),
        ({"switches": "", "nic": "/sys/class/infiniband/mlx5_0/device/vpd"}, True),
        ({"switches": None, "nobus": "no"}, False),
        ({"switches": Part(None, "")}, None),
        ({"switches": "", "nic": Part(None, "")}, None),
    ],
)
def test_who_needs_a_fabric_manager(changed: Changed, needs: bool | None) -> None:
    assert value_or_none(switched(**changed).needs_manager) is needs


def test_a_manager_that_is_not_there() -> None:
    units = str(FABRIC["units"]).replace("LoadState=loaded", "LoadState=not-found", 1)
    found = switched(units=units, version=None)
    assert isinstance(found.manager, Absent)
    assert value_or_none(found.persistenced) == "active"
    assert isinstance(switched(units=Part(1, "Failed to connect to bus")).manager, Unreadable)
    assert isinstance(switched(units="").persistenced, Unreadable)
    empty = fabric.parse(Output("fabric"))
    assert isinstance(empty, Known)
    assert isinstance(empty.value.needs_manager, Unreadable)


@pytest.mark.parametrize("shell", SHELLS)
def test_switches_on_the_bus(shell: tuple[str, ...], tmp_path: Path) -> None:
    bus = "sys/bus/pci/devices"
    put(
        tmp_path,
        {
            f"{bus}/0000:01:00.0/vendor": "0x10de\n",
            f"{bus}/0000:01:00.0/class": "0x030200\n",
            f"{bus}/0000:85:00.0/vendor": "0x10de\n",
            f"{bus}/0000:85:00.0/class": "0x068000\n",
            "sys/class/infiniband/mlx5_0/device/vpd": "\0\1SW_MNG\0",
        },
    )
    found = fabric.parse(on_tree(shell, fabric.SECTION, tmp_path, None, "/sys"))
    assert isinstance(found, Known)
    assert value_or_none(found.value.switches) == ("0000:85:00.0",)
    assert value_or_none(found.value.managed_by_nic) is True

"""What is written into a host before it boots."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from ongpu.host.reading import Known
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import pci as pci_section
from ongpu_lab.errors import LabError
from ongpu_lab.vendor import hardware, modules, pci, profile
from ongpu_lab.vendor.native import Compiler

SCRIPTS = sorted(
    path for directory in ("host", "debian") for path in (Path(hardware.__file__).parent / directory).glob("*.sh")
)
REQUIRED = {"name", "uuid", "bus_id", "pci_id", "pci_sub_id", "pci_class", "compute_cap", "memory", "power_limit_mw"}


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = (0, os.readlink(path).encode())
        elif path.is_file():
            found[name] = (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
    return found


def test_the_promised_profiles_are_there() -> None:
    assert {"rtx4060", "two-gpu", "none", "a100", "h100", "h200", "rtx5090", "gtx1080", "mixed"} <= set(
        hardware.profiles()
    )
    switches = pci.devices([], profile.switches(profile.text("h100")))[1:]
    assert [(one.device, one.pci_class) for one in switches] == [(0x22A3, 0x068000)] * 4


@pytest.mark.parametrize("name", hardware.profiles())
def test_each_profile_is_complete(name: str) -> None:
    gpus = profile.gpus(profile.text(name))
    assert (len(gpus) == 0) == (name == "none")
    for gpu in gpus:
        assert set(gpu) >= REQUIRED
        assert int(gpu["pci_id"], 0) & 0xFFFF == 0x10DE
        total, used, reserved = (int(part) for part in gpu["memory"].split(","))
        assert total > used + reserved
    assert len({gpu["uuid"] for gpu in gpus}) == len({gpu["bus_id"] for gpu in gpus}) == len(gpus)


def test_an_unknown_profile_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no GPU profile `rtx9`; it has .*none.*rtx4060"):
        hardware.equip(tmp_path, "rtx9", tmp_path)


@pytest.mark.parametrize("name", hardware.profiles())
def test_equipping_twice_is_the_same_as_once(tmp_path: Path, name: str) -> None:
    hardware.equip(tmp_path, name, tmp_path / "cache")
    once = tree(tmp_path)
    hardware.equip(tmp_path, name, tmp_path / "cache")
    assert tree(tmp_path) == once
    assert once["usr/sbin/modprobe"][0] == 0o755
    assert "etc/ongpu-lab/host.ini" in once


def test_another_profile_replaces_the_hardware(tmp_path: Path) -> None:
    hardware.equip(tmp_path, "two-gpu", tmp_path)
    hardware.equip(tmp_path, "none", tmp_path)
    assert sorted(path.name for path in (tmp_path / "usr/lib/ongpu-lab/pci/devices").iterdir()) == ["0000:00:00.0"]


def test_links_of_the_base_tree_are_replaced_not_followed(tmp_path: Path) -> None:
    """usr/sbin/modprobe of a base tree leads to /bin/kmod: of this machine, if it were followed."""
    precious = tmp_path / "kmod"
    precious.write_text("real")
    (tmp_path / "root/usr/sbin").mkdir(parents=True)
    (tmp_path / "root/usr/sbin/modprobe").symlink_to(precious)
    hardware.equip(tmp_path / "root", "rtx4060", tmp_path)
    assert precious.read_text() == "real"


def test_the_kernel_log_is_a_fifo(tmp_path: Path) -> None:
    for _ in range(2):
        assert hardware.nspawn_arguments(tmp_path / "host", "rtx4060", tmp_path) == [
            f"--bind={tmp_path}/host/kmsg:/dev/kmsg"
        ]
    assert stat.S_ISFIFO((tmp_path / "host/kmsg").stat().st_mode)


@pytest.mark.parametrize(("name", "ids"), [("rtx4060", ["0x2882"]), ("two-gpu", ["0x2204"] * 2), ("none", [])])
def test_the_probe_finds_the_gpus_on_the_bus(name: str, ids: list[str]) -> None:
    lines = []
    for device in pci.devices(profile.gpus(profile.text(name))):
        files = {key: value.decode().strip() for key, value in device.files().items() if key != "config"}
        if files["vendor"] == "0x10de":
            keys = ("vendor", "class", "device", "subsystem_vendor", "subsystem_device")
            lines.append(" ".join([device.address, *(files[key] for key in keys), "-"]))
    found = pci_section.parse(Output(section="pci", parts={"bus": Part(rc=0, text="\n".join(lines))}, complete=True))
    assert isinstance(found, Known)
    assert [gpu.device_id for gpu in found.value] == ids


def test_configuration_space_has_the_fields_where_lspci_looks() -> None:
    gpu = pci.devices(profile.gpus(profile.text("rtx4060")))[1]
    config = gpu.config()
    assert len(config) == 256
    assert config[0:4] == bytes.fromhex("de108228")
    assert config[8:12] == bytes.fromhex("a1000003")
    assert config[44:48] == bytes.fromhex("5814d140")
    assert len(gpu.files()["resource"].splitlines()) == 13


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_posix_shell(script: Path) -> None:
    shell = shutil.which("dash") or shutil.which("sh")
    assert shell
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("flavour", "license_"), [("open", "Dual MIT/GPL"), ("proprietary", "NVIDIA")])
def test_modules_say_what_they_are(built_modules: dict[modules.Flavour, Path], flavour: str, license_: str) -> None:
    place = built_modules["open" if flavour == "open" else "proprietary"]
    subprocess.run(
        ["objcopy", "-O", "binary", "--only-section=.modinfo", str(place / "nvidia.ko"), str(place / "modinfo")],
        check=True,
    )
    strings = (place / "modinfo").read_bytes().decode().split("\0")
    fields = dict(string.split("=", 1) for string in strings if string)
    assert fields["version"] == "580.95.05"
    assert fields["license"] == license_
    assert fields["vermagic"].startswith("6.1.0 ")


def test_depmod_finds_what_depends_on_what(built_modules: dict[modules.Flavour, Path], tmp_path: Path) -> None:
    depmod = shutil.which("depmod", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if not depmod:
        pytest.skip("needs depmod (package kmod)")
    place = tmp_path / "lib/modules/6.1.0"
    place.mkdir(parents=True)
    for name in modules.MODULES:
        shutil.copy(built_modules["open"] / f"{name}.ko", place)
    for index in ("order", "builtin", "builtin.modinfo"):
        (place / f"modules.{index}").touch()
    subprocess.run([depmod, "-b", str(tmp_path), "6.1.0"], check=True)
    dependencies = (place / "modules.dep").read_text().splitlines()
    assert "nvidia-drm.ko: nvidia-modeset.ko nvidia.ko" in dependencies
    assert "nvidia-uvm.ko: nvidia.ko" in dependencies


@pytest.fixture(scope="module")
def built_modules(tmp_path_factory: pytest.TempPathFactory) -> dict[modules.Flavour, Path]:
    if not shutil.which("gcc"):
        pytest.skip("needs a C compiler")
    flavours: tuple[modules.Flavour, ...] = ("open", "proprietary")
    found = {}
    with Compiler() as compiler:
        for flavour in flavours:
            found[flavour] = tmp_path_factory.mktemp(flavour)
            for name in modules.MODULES:
                compiler.module(modules.assembler(name, "580.95.05", flavour, "6.1.0"), found[flavour] / f"{name}.ko")
    return found

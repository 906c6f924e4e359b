"""PCI bus, kernel module, libraries and device nodes: parsers, and their shell on trees of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.host.gpu import DeviceNodes, KernelModule, Libraries, Library, PciGpu
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.probe import frame
from ongpu.probe.output import Output, Part
from ongpu.probe.script import build
from ongpu.probe.section import Section
from ongpu.probe.sections import libraries, module, nodes, pci
from tests.probe.sections.samples import LIBRARIES, MODULE, NODES, PCI, output
from tests.probe.shells import SHELLS, run, tool


def shell_output(shell: tuple[str, ...], section: Section, tools: Path | None = None, **paths: Path) -> Output:
    """The section's shell with some directories elsewhere: `sys` for /sys, `proc` for /proc."""
    script = build((section,))
    for name, path in paths.items():
        script = script.replace(f"/{name}/", f"{path}/")
    text = run(shell, script, tools)
    for name, path in paths.items():
        text = text.replace(f"{path}/", f"/{name}/")
    frames = frame.split(text)
    assert frames.complete
    return frames.outputs[section.name]


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


# --- PCI


GPU = PciGpu(
    address="0000:01:00.0",
    device_id="0x2882",
    subsystem_id="0x1458:0x40d1",
    pci_class="0x030000",
    driver="nvidia",
)


def test_gpus_without_their_audio_functions_and_switches() -> None:
    found = pci.parse(output("pci", **PCI))
    assert isinstance(found, Known)
    assert found.value[0] == GPU
    assert [(gpu.address, gpu.driver) for gpu in found.value] == [("0000:01:00.0", "nvidia"), ("0000:41:00.0", "")]


def test_no_gpu_no_bus_and_no_look_are_three_things() -> None:
    assert pci.parse(output("pci", bus="")) == Known((), "/sys/bus/pci/devices")
    assert isinstance(pci.parse(output("pci", none="no")), Absent)
    assert isinstance(pci.parse(output("pci", unmounted="no")), Unreadable)
    assert isinstance(pci.parse(output("pci", bus=Part(None, str(PCI["bus"])))), Unreadable)
    assert isinstance(pci.parse(output("pci", bus="0000:01:00.0 0x10de")), Unreadable)
    assert isinstance(pci.parse(Output("pci")), Unreadable)


def function(address: str, vendor: str, kind: str) -> dict[str, str]:
    values = {"vendor": vendor, "class": kind, "device": "0x2882", "subsystem_vendor": "0x1458"}
    return {f"bus/pci/devices/{address}/{name}": f"{value}\n" for name, value in values.items()}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_bus_is_read(shell: tuple[str, ...], tmp_path: Path) -> None:
    assert isinstance(pci.parse(shell_output(shell, pci.SECTION, sys=tmp_path / "nowhere")), Unreadable)
    (tmp_path / "bus").mkdir()
    assert isinstance(pci.parse(shell_output(shell, pci.SECTION, sys=tmp_path)), Absent)
    put(tmp_path, function("0000:00:02.0", "0x8086", "0x030000"))
    assert pci.parse(shell_output(shell, pci.SECTION, sys=tmp_path)) == Known((), "/sys/bus/pci/devices")
    put(tmp_path, function("0000:01:00.0", "0x10de", "0x030000") | function("0000:01:00.1", "0x10de", "0x040300"))
    driver = tmp_path / "bus/pci/drivers/nvidia"
    driver.mkdir(parents=True)
    device = tmp_path / "bus/pci/devices/0000:01:00.0"
    (device / "driver").symlink_to(driver)
    (device / "subsystem_device").write_text("0x40d1\n")
    assert pci.parse(shell_output(shell, pci.SECTION, sys=tmp_path)) == Known((GPU,), "/sys/bus/pci/devices")


# --- module


def kernel(one: Output) -> KernelModule:
    found = module.parse(one)
    assert isinstance(found, Known)
    return found.value


def test_loaded_and_on_disk() -> None:
    found = kernel(output("module", **MODULE))
    assert isinstance(found.loaded, Known)
    assert (found.loaded.value.version, found.loaded.value.flavour) == ("550.163.01", "open")
    assert isinstance(found.on_disk, Known)
    disk = found.on_disk.value
    assert (disk.name, disk.version, disk.flavour) == ("nvidia-current-open", "550.163.01", "open")
    assert (found.uvm_loaded, found.nouveau_loaded) == (
        Known(True, "/sys/module/nvidia_uvm"),
        Known(False, "/sys/module/nouveau"),
    )
    assert found.users == Known(4, "/sys/module/nvidia/refcnt")


def test_the_proprietary_module() -> None:
    nvrm = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.309.01  Mon Sep 14 20:03:26 UTC 2026"
    disk = "filename:       /lib/modules/6.1/updates/dkms/nvidia.ko\nversion:        535.309.01\nlicense:        NVIDIA"
    found = kernel(output("module", **MODULE | {"nvrm": nvrm, "disk": disk}))
    assert isinstance(found.loaded, Known)
    assert found.loaded.value.flavour == "proprietary"
    assert isinstance(found.on_disk, Known)
    assert (found.on_disk.value.name, found.on_disk.value.flavour) == ("nvidia", "proprietary")


def test_nothing_is_there() -> None:
    missing = Part(1, "\n".join(f"modinfo: ERROR: Module {name} not found." for name in module.NAMES))
    found = kernel(output("module", modules="nouveau", loaded="", disk=missing))
    assert isinstance(found.loaded, Absent)
    assert isinstance(found.on_disk, Absent)
    assert isinstance(found.users, Absent)
    assert found.nouveau_loaded == Known(True, "/sys/module/nouveau")


def test_what_could_not_be_looked_at() -> None:
    blind = kernel(output("module", modules=Part(1, "not mounted"), loaded="", disk=Part(None, "", "modinfo")))
    for reading in (blind.loaded, blind.on_disk, blind.uvm_loaded, blind.nouveau_loaded, blind.users):
        assert isinstance(reading, Unreadable)
    assert isinstance(blind.uvm_loaded, Unreadable)
    assert "not mounted" in blind.uvm_loaded.why
    nothing = kernel(Output("module"))
    assert isinstance(nothing.loaded, Unreadable)
    assert isinstance(nothing.on_disk, Unreadable)
    cut = kernel(output("module", modules="nvidia", loaded=Part(None, ""), disk="filename: (builtin)"))
    assert isinstance(cut.loaded, Unreadable)
    assert isinstance(cut.on_disk, Unreadable)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_module_is_read(shell: tuple[str, ...], tmp_path: Path) -> None:
    tools, sys, proc = tmp_path / "tools", tmp_path / "sys", tmp_path / "proc"
    tool(tools, "modinfo", "echo 'modinfo: ERROR: Module nvidia not found.' >&2; exit 1")
    blind = kernel(shell_output(shell, module.SECTION, tools, sys=sys, proc=proc))
    assert isinstance(blind.loaded, Unreadable)
    put(sys, {"module/nvidia/version": "550.163.01\n", "module/nvidia/refcnt": "0\n"})
    put(proc, {"driver/nvidia/version": str(MODULE["nvrm"])})
    found = kernel(shell_output(shell, module.SECTION, tools, sys=sys, proc=proc))
    assert isinstance(found.loaded, Known)
    assert (found.loaded.value.version, found.loaded.value.flavour) == ("550.163.01", "open")
    assert found.users == Known(0, "/sys/module/nvidia/refcnt")
    assert isinstance(found.on_disk, Absent)


# --- libraries


def looked(one: Output) -> Libraries:
    found = libraries.parse(one)
    assert isinstance(found, Known)
    return found.value


def test_64_bits_before_32() -> None:
    found = looked(output("libraries", **LIBRARIES))
    assert found.nvml == Known(
        Library(
            path="/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
            resolved="/usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.550.163.01",
            version="550.163.01",
        ),
        "ldconfig -p",
    )
    assert isinstance(found.cuda, Known)
    assert found.cuda.value.version == "550.163.01"


def test_libraries_that_are_not_there_or_odd() -> None:
    none = looked(output("libraries", cache=""))
    assert isinstance(none.nvml, Absent)
    # A line of arm64, a library of no package, a dangling link
    odd = "libcuda.so.1 (libc6,AArch64) => /usr/lib/libcuda.so.1 => \nlibnvidia-ml.so.1 (libc6,x86-64, OS ABI: Linux"
    found = looked(output("libraries", cache=odd))
    assert found.cuda == Known(
        Library(path="/usr/lib/libcuda.so.1", resolved="/usr/lib/libcuda.so.1", version=""), "ldconfig -p"
    )
    assert isinstance(found.nvml, Unreadable)


@pytest.mark.parametrize(
    "part",
    [Part(None, "", "ldconfig"), Part(None, "libcuda"), Part(0, "ldconfig: can't open cache\n@failed 1")],
)
def test_without_ldconfig(part: Part) -> None:
    assert isinstance(libraries.parse(output("libraries", cache=part)), Unreadable)


@pytest.mark.parametrize("shell", SHELLS)
def test_ldconfig_is_asked(shell: tuple[str, ...], tmp_path: Path) -> None:
    target = tmp_path / "libcuda.so.580.95.05"
    target.write_text("")
    (tmp_path / "libcuda.so.1").symlink_to(target)
    line = f"libcuda.so.1 (libc6,x86-64) => {tmp_path}/libcuda.so.1"
    tool(tmp_path / "tools", "ldconfig", f"printf '2 libs found\\n\\t%s\\n' '{line}'")
    found = looked(shell_output(shell, libraries.SECTION, tmp_path / "tools"))
    assert isinstance(found.cuda, Known)
    assert (found.cuda.value.resolved, found.cuda.value.version) == (str(target), "580.95.05")
    tool(tmp_path / "tools", "ldconfig", "echo 'no cache' >&2; exit 1")
    assert isinstance(libraries.parse(shell_output(shell, libraries.SECTION, tmp_path / "tools")), Unreadable)


# --- nodes


def device_nodes(one: Output) -> DeviceNodes:
    found = nodes.parse(one)
    assert isinstance(found, Known), found
    return found.value


def test_nodes() -> None:
    found = device_nodes(output("nodes", **NODES))
    node = found.find("/dev/nvidiactl")
    assert node is not None
    assert (node.mode, node.owner, node.group, node.major, node.minor) == ("0666", "root", "root", 195, 255)
    assert value_or_none(found.service_user) == "ollama"
    assert isinstance(found.service_user_may_open, Known)
    assert found.service_user_may_open.value is True


@pytest.mark.parametrize(
    ("change", "may"),
    [
        ({"id": "uid=999(ollama) gid=999(ollama) groups=999(ollama)"}, False),
        ({"id": "uid=999 gid=999 groups=999,44"}, True),
        ({"id": "uid=0(x) gid=9 groups=9"}, True),
        (
            {
                "id": "uid=999(ollama) gid=999(ollama) groups=999(ollama)",
                "unit": "LoadState=loaded\nUser=ollama\nGroup=\nSupplementaryGroups=video render",
            },
            True,
        ),
        ({"unit": "LoadState=loaded\nUser=\nGroup=\nSupplementaryGroups="}, True),
    ],
    ids=["not in the group", "by number", "owner", "by the unit", "root"],
)
def test_who_may_open_them(change: dict[str, str | Part], may: bool) -> None:
    reading = device_nodes(output("nodes", **NODES | change)).service_user_may_open
    assert isinstance(reading, Known)
    assert reading.value is may
    assert may or "/dev/nvidia1" in reading.source


def test_nodes_that_cannot_be_judged() -> None:
    def may(complete: bool = True, **change: str | Part) -> object:
        return device_nodes(output("nodes", complete, **NODES | change)).service_user_may_open

    assert isinstance(may(id=Part(1, "id: 'ollama': no such user")), Unreadable)
    assert isinstance(may(unit="failed: Failed to connect to bus"), Unreadable)
    assert isinstance(may(unit="LoadState=not-found\nUser="), Absent)
    only_nodes = {"nodes": NODES["nodes"]}
    assert isinstance(device_nodes(output("nodes", **only_nodes)).service_user_may_open, Absent)
    assert isinstance(nodes.parse(output("nodes", False, **only_nodes)), Unreadable), "who uses them was not asked"
    assert isinstance(device_nodes(output("nodes", **NODES | {"nodes": ""})).service_user_may_open, Absent)
    assert isinstance(nodes.parse(output("nodes", nodes=Part(1, "stat: cannot stat"))), Unreadable)
    assert isinstance(nodes.parse(output("nodes", nodes="rubbish")), Unreadable)
    assert isinstance(nodes.parse(Output("nodes")), Unreadable)

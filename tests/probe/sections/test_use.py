"""Who uses the driver: processes, modules that hold others, consoles, rivals; and what keeps modules from loading."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.host.use import Client, DriverUse, Modprobe
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import modprobe, use
from tests.probe.sections.samples import MODPROBE, USE, Parts, output
from tests.probe.sections.trees import on_tree, put
from tests.probe.shells import SHELLS, tool


def read(**changed: str | Part | None) -> DriverUse:
    parts: Parts = {name: part for name, part in (USE | changed).items() if part is not None}
    found = use.parse(output("use", **parts))
    assert isinstance(found, Known)
    return found.value


def test_clients() -> None:
    """The server's own graphics card and who draws on it are no clients of the GPU."""
    ollama = Client(
        pid=812,
        name="ollama",
        unit="ollama.service",
        cgroup="/system.slice/ollama.service",
        devices=("/dev/nvidia-uvm", "/dev/nvidia0"),
    )
    clients = value_or_none(read().clients) or ()
    assert clients[0] == ollama
    assert [(client.name, client.unit) for client in clients[1:]] == [("Xorg", "gdm.service")]


def test_modules_and_console() -> None:
    found = read()
    modules = value_or_none(found.modules) or {}
    assert modules["nvidia"].holders == ("nvidia_uvm", "nvidia_modeset")
    assert modules["nvidia"].by_programs == 46
    assert value_or_none(found.console) is True
    assert value_or_none(read(framebuffers="0 astdrmfb").console) is False
    assert value_or_none(read(modules="rival nouveau").rivals) == ("nouveau",)
    assert value_or_none(read(modules="").modules) == {}


def test_what_cannot_be_seen_is_not_idle() -> None:
    blind = read(clients=None, blocked="no")
    assert isinstance(blind.clients, Unreadable)
    assert "root" in blind.clients.allow
    assert isinstance(read(clients="@late").clients, Unreadable)
    assert isinstance(read(modules=Part(1, "not mounted")).rivals, Unreadable)
    assert isinstance(read(modules="nvidia -").modules, Unreadable)
    for reading in (read(framebuffers=None).console, read(cards=None).drm):
        assert isinstance(reading, Unreadable)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_tree(shell: tuple[str, ...], tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "sys/module/nvidia/refcnt": "6\n",
            "sys/module/nvidia/holders/nvidia_uvm/x": "",
            "sys/module/nvidia_uvm/refcnt": "2\n",
            "sys/module/nova_core/x": "",
            "sys/bus/pci/drivers/nvidia/x": "",
            "sys/devices/0000:01:00.0/driver": "-> ../../bus/pci/drivers/nvidia",
            "sys/class/drm/card0/device": "-> ../../../devices/0000:01:00.0",
            "sys/class/drm/card0-DP-1/x": "",
            "proc/fb": "0 nvidia-drmdrmfb\n",
            "proc/1/fd/0": "-> /dev/null",
            "proc/812/fd/3": "-> /dev/nvidia0",
            "proc/812/fd/4": "-> /dev/nvidia0",
            "proc/812/fd/5": "-> /dev/null",
            "proc/812/comm": "ollama\n",
            "proc/812/cgroup": "12:devices:/x\n1:name=systemd:/system.slice/ollama.service\n",
            "proc/913/fd/7": "-> /dev/dri/card0",
            "proc/913/comm": "a b\n",
            "proc/913/cgroup": "0::/user.slice/user-0.slice/session-1.scope\n",
        },
    )
    found = use.parse(on_tree(shell, use.SECTION, tmp_path, None, "/sys", "/proc"))
    tool(tmp_path / "tools", "find", "exit 1")  # one without GNU's -lname and -printf
    assert use.parse(on_tree(shell, use.SECTION, tmp_path, tmp_path / "tools", "/sys", "/proc")) == found
    assert isinstance(found, Known)
    clients = value_or_none(found.value.clients) or ()
    assert [(client.pid, client.name, client.unit, client.devices) for client in clients] == [
        (812, "ollama", "ollama.service", ("/dev/nvidia0",)),
        (913, "a b", "session-1.scope", ("/dev/dri/card0",)),
    ]
    modules = value_or_none(found.value.modules) or {}
    assert (modules["nvidia"].references, modules["nvidia"].holders) == (6, ("nvidia_uvm",))
    assert value_or_none(found.value.rivals) == ("nova_core",)
    assert [node.driver for node in value_or_none(found.value.drm) or ()] == ["nvidia"]
    assert value_or_none(found.value.console) is True


# --- modprobe


def config(**changed: str | Part) -> Modprobe:
    found = modprobe.parse(output("modprobe", **(MODPROBE | changed)))
    assert isinstance(found, Known), found
    return found.value


def test_blacklists() -> None:
    found = config()
    assert found.blocked_by("nouveau") == "/etc/modprobe.d/nvidia-blacklists-nouveau.conf"
    assert found.blocked_by("nova-core") == "kernel parameter modprobe.blacklist"
    assert found.blocked_by("nvidia") == ""
    assert value_or_none(found.parameters) == ("modprobe.blacklist=nova_core",)


@pytest.mark.parametrize("line", ["blacklist nvidia", "alias nvidia off", "install nvidia /bin/false"])
def test_nvidia_itself_may_be_blocked(line: str) -> None:
    """As `prime-select intel` leaves it."""
    found = config(files="file /lib/modprobe.d/b.conf", lines=f"/lib/modprobe.d/b.conf:{line}")
    assert found.blocked_by("nvidia") == "/lib/modprobe.d/b.conf"
    found = config(lines="/etc/modprobe.d/a.conf:install nvidia modprobe -i nvidia-current $CMDLINE_OPTS")
    assert found.blocked_by("nvidia") == ""


def test_no_look_at_modprobe() -> None:
    assert isinstance(modprobe.parse(Output("modprobe")), Unreadable)
    blocked = modprobe.parse(output("modprobe", **(MODPROBE | {"files": "blocked /etc/modprobe.d/a.conf"})))
    assert isinstance(blocked, Unreadable)
    assert blocked.allow


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_that_is_hidden_by_another(shell: tuple[str, ...], tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "usr/lib/modprobe.d/nvidia.conf": "blacklist nouveau\n",
            "usr/lib/modprobe.d/b.conf": "  blacklist  nova_core # so\n#blacklist nvidia\n",
            "etc/modprobe.d/nvidia.conf": "# nothing\n",
            "etc/modprobe.d/off.conf": "-> /dev/null",
        },
    )
    tops = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
    found = modprobe.parse(on_tree(shell, modprobe.SECTION, tmp_path, None, *tops))
    assert isinstance(found, Known)
    assert found.value.blocked_by("nouveau") == ""
    assert found.value.blocked_by("nova_core") == "/usr/lib/modprobe.d/b.conf"
    assert found.value.blocked_by("nvidia") == ""
    assert not isinstance(found.value.parameters, Absent)

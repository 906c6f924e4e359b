"""os-release, uname, id, df and the rest of `system`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ongpu.host.reading import Known, Unreadable
from ongpu.host.system import Disk, System
from ongpu.probe.output import Output, Part
from ongpu.probe.sections import system
from tests.probe.sections.samples import SYSTEM, output

KIB = 1024


def value(one: Output) -> System:
    found = system.parse(one)
    assert isinstance(found, Known), found
    return found.value


def test_debian() -> None:
    found = value(output("system", **SYSTEM))
    assert (found.hostname, found.kernel, found.arch) == ("gpu01", "6.1.0-56-amd64", "x86_64")
    assert (found.os_id, found.os_version, found.os_name) == ("debian", "12", "Debian GNU/Linux 12 (bookworm)")
    assert (found.user, found.uid, found.is_root) == ("deploy", 1000, False)
    assert found.clock == datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    assert found.booted_at == Known(datetime(2026, 11, 24, 5, 43, 20, tzinfo=UTC), "/proc/uptime")
    assert found.boot_id == Known("0edb6f69-19dd-4367-a4c5-fce8cf91124e", "/proc/sys/kernel/random/boot_id")
    assert found.memory_bytes == Known(24583424 * KIB, "/proc/meminfo")
    assert found.virtualization == Known("kvm", "systemd-detect-virt")
    assert (found.init_systemd, found.reboot_required) == (True, False)
    assert (found.tools["curl"], found.tools["wget"]) == (True, False)
    assert set(found.tools) == set(system.TOOLS)


def test_disks() -> None:
    found = value(output("system", **SYSTEM))
    root = Disk(path="/", free_bytes=229302684 * KIB, total_bytes=264212084 * KIB)
    assert found.disk_of("/") == root
    assert found.disk_of("/usr/local/bin/ollama") == Disk(
        path="/usr", free_bytes=root.free_bytes, total_bytes=root.total_bytes
    )
    assert found.disk_of("/srv/my models/blobs") == Disk(
        path="/srv/my models", free_bytes=1800000000 * KIB, total_bytes=1880000000 * KIB
    )
    assert found.disk_of("/home/x") == Disk(path="/home", free_bytes=990000000 * KIB, total_bytes=1000000000 * KIB)
    assert not [disk.path for disk in found.disks if disk.path.startswith(("/snap", "/run", "/dev"))]


def test_a_directory_for_which_df_printed_no_row_is_left_out() -> None:
    """Rows and directories are matched by their order: with one missing, none can be matched."""
    rows = str(SYSTEM["disks"]).rsplit("\n", 1)[0]
    found = value(output("system", **SYSTEM | {"disks": Part(1, rows), "mounts": Part(None, "")}))
    assert found.disks == ()


@pytest.mark.parametrize("name", ["os", "uname", "id", "clock", "facts", "tools"])
@pytest.mark.parametrize("part", [Part(127, "sh: not found"), Part(None, "")])
def test_without_the_basics_it_is_unreadable(name: str, part: Part) -> None:
    assert isinstance(system.parse(output("system", **SYSTEM | {name: part})), Unreadable)


@pytest.mark.parametrize("name", ["virt", "disks", "mounts", "dirs"])
def test_without_a_detail_it_is_known(name: str) -> None:
    assert isinstance(system.parse(output("system", **SYSTEM | {name: Part(None, "")})), Known)


def test_virtualization() -> None:
    def virtualization(part: Part) -> object:
        return value(output("system", **SYSTEM | {"virt": part})).virtualization

    assert virtualization(Part(1, "none")) == Known("none", "systemd-detect-virt")
    assert isinstance(virtualization(Part(None, "", "systemd-detect-virt")), Unreadable)
    assert isinstance(virtualization(Part(127, "not found")), Unreadable)


def test_root_in_a_container_without_names() -> None:
    found = value(output("system", **SYSTEM | {"id": "uid=0 gid=0 groups=0", "facts": "systemd\tno\nreboot\tyes"}))
    assert (found.user, found.is_root, found.init_systemd, found.reboot_required) == ("0", True, False, True)
    for reading in (found.boot_id, found.booted_at, found.memory_bytes):
        assert isinstance(reading, Unreadable)


def test_os_release() -> None:
    """os-release(5): quoting as in the shell; Rocky, a comment, a broken line."""
    lines = ["# comment", "NAME='Rocky Linux'", 'ID="rocky"', 'ID_LIKE="rhel centos fedora"', 'BROKEN="open']
    text = "\n".join([*lines, "VERSION_ID=10.1", "EMPTY="])
    assert system.os_release(text) == {
        "NAME": "Rocky Linux",
        "ID": "rocky",
        "ID_LIKE": "rhel centos fedora",
        "VERSION_ID": "10.1",
        "EMPTY": "",
    }
    assert value(output("system", **SYSTEM | {"os": text})).os_like == ("rhel", "centos", "fedora")

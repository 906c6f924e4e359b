"""Every libcuda and libnvidia-ml on disk: where the loader comes to it, whose it is, and which are no driver's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.host.gpu import Libraries
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.probe.output import Part
from ongpu.probe.sections import libraries
from tests.probe.sections.samples import LIBRARIES, Parts, output
from tests.probe.sections.trees import on_tree, put
from tests.probe.shells import SHELLS, tool


def read(**changed: str | Part | None) -> Libraries:
    parts: Parts = {name: part for name, part in (LIBRARIES | changed).items() if part is not None}
    found = libraries.parse(output("libraries", **parts))
    assert isinstance(found, Known)
    return found.value


def test_all_libraries_in_the_loader_s_order() -> None:
    found = value_or_none(read().found) or ()
    assert [(one.place, one.kind, one.version, value_or_none(one.owner)) for one in found] == [
        ("LD_LIBRARY_PATH", "compat", "550.54.15", "cuda-compat-12-4"),
        ("ldconfig", "driver", "550.163.01", None),
        ("ldconfig", "driver", "550.163.01", "libcuda1"),
        ("disk", "driver", "535.54.03", None),
        ("disk", "stub", "", "cuda-driver-dev-12-4"),
    ]
    assert isinstance(found[3].owner, Absent)
    assert value_or_none(read().configured) == (
        "/etc/ld.so.conf.d/988_cuda-12.conf: /usr/local/cuda-12/targets/x86_64-linux/lib",
    )


def test_half_a_look_is_none() -> None:
    assert isinstance(read(disk=Part(None, "")).found, Unreadable)
    assert isinstance(read(service=None).found, Unreadable)
    found = value_or_none(read(owners=Part(124, "")).found) or ()
    assert all(isinstance(one.owner, Unreadable) for one in found)
    found = value_or_none(read(owners=None, unpackaged="no").found) or ()
    assert all(isinstance(one.owner, Unreadable) for one in found)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_tree(shell: tuple[str, ...], tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "usr/local/cuda-12.8/compat/libcuda.so.1": "-> libcuda.so.570.86.15",
            "usr/local/cuda-12.8/compat/libcuda.so.570.86.15": "",
            "usr/local/cuda-12.8/lib64/stubs/libcuda.so": "",
            "usr/lib64/libcuda.so.1": "-> libcuda.so.580.95.05",
            "usr/lib64/libcuda.so.580.95.05": "",
            "etc/ld.so.conf.d/cuda.conf": "# /usr/local/cuda/no\n/usr/local/cuda-12.8/compat\n",
        },
    )
    tools = tmp_path / "tools"
    tool(tools, "ldconfig", f"echo '	libcuda.so.1 (libc6,x86-64) => {tmp_path}/usr/lib64/libcuda.so.1'")
    tool(
        tools,
        "dpkg-query",
        f'for file in "$@"; do case $file in {tmp_path}/usr/lib64/*) echo "libcuda1:amd64: $file" ;; '
        "*) echo 'dpkg-query: no path found' >&2; code=1 ;; esac; done; exit ${code:-0}",
    )
    found = libraries.parse(
        on_tree(shell, libraries.SECTION, tmp_path, tools, "/usr/lib64", "/usr/lib", "/usr/local", "/etc/ld.so.conf.d")
    )
    assert isinstance(found, Known)
    seen = {one.resolved.rsplit("/", 1)[-1]: one for one in value_or_none(found.value.found) or ()}
    assert seen["libcuda.so.580.95.05"].place == "ldconfig"
    assert value_or_none(seen["libcuda.so.580.95.05"].owner) == "libcuda1"
    assert (seen["libcuda.so.570.86.15"].place, seen["libcuda.so.570.86.15"].kind) == ("disk", "compat")
    assert isinstance(seen["libcuda.so.570.86.15"].owner, Absent)
    assert seen["libcuda.so"].kind == "stub"
    assert value_or_none(found.value.configured) == ("/etc/ld.so.conf.d/cuda.conf: /usr/local/cuda-12.8/compat",)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_service_s_library_path(shell: tuple[str, ...], tmp_path: Path) -> None:
    """The running process's environment wins over the unit's; without systemd there is no service."""
    put(
        tmp_path,
        {
            "run/systemd/system/x": "",
            "opt/a/libcuda.so.1": "",
            "opt/b/libcuda.so.1": "",
            "proc/812/environ": "HOME=/\0LD_LIBRARY_PATH=/opt/none:/opt/b\0X=1\0",
        },
    )
    tools = tmp_path / "tools"
    tool(tools, "ldconfig", ":")

    def look(said: str) -> list[str]:
        tool(tools, "systemctl", f"printf '{said}'")
        done = on_tree(shell, libraries.SECTION, tmp_path, tools, "/run/systemd", "/proc", "/usr")
        return list(done["path"].lines)

    unit = 'Environment=OLLAMA_HOST=x "LD_LIBRARY_PATH=/opt/a" B=1'
    assert look(unit + "\\nMainPID=0\\n") == ["/opt/a"]
    assert look(unit + "\\nMainPID=812\\n") == ["/opt/none:/opt/b"]
    assert look("Environment=\\nMainPID=0\\n") == []

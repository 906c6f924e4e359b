"""Runs probe sections for real: in each shell, with tools and a /proc of our own where a test wants them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ongpu.probe import frame
from ongpu.probe.output import Output
from ongpu.probe.script import build
from ongpu.probe.section import Section

RECORDINGS = Path(__file__).parent.parent / "recordings"

SHELLS = [
    pytest.param(
        shell,
        id=shell[0],
        marks=[
            pytest.mark.skipif(shutil.which(shell[0]) is None, reason=f"{shell[0]} is not installed"),
            *([] if shell[0] == "dash" else [pytest.mark.slow]),  # dash is Debian's /bin/sh
        ],
    )
    for shell in (("dash",), ("bash", "--posix"), ("busybox", "sh"))
]


def run(shell: tuple[str, ...], script: str, tools: Path | None = None, proc: Path | None = None) -> str:
    """What the script prints. `tools` come first on the path; `proc` stands in for /proc."""
    path = os.environ["PATH"] if tools is None else f"{tools}:{os.environ['PATH']}"
    if proc is not None:
        script = script.replace("/proc", str(proc))
    done = subprocess.run(
        shell,
        input=script.encode(),
        capture_output=True,
        timeout=30,
        check=False,
        env={"PATH": path, "HOME": "/nowhere"},
    )
    assert not done.stderr, done.stderr.decode()
    text = done.stdout.decode("ascii")
    return text if proc is None else text.replace(str(proc), "/proc")


def section(shell: tuple[str, ...], one: Section, tools: Path | None = None, proc: Path | None = None) -> Output:
    """One section's output, from a complete run."""
    frames = frame.split(run(shell, build((one,)), tools, proc))
    assert frames.complete
    output = frames.outputs[one.name]
    assert output.complete
    return output


def tool(directory: Path, name: str, body: str) -> None:
    """An executable of this name in the directory, as a POSIX script."""
    directory.mkdir(exist_ok=True)
    file = directory / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def process(proc: Path, pid: int, parent: int, command: list[str], environ: bytes = b"", start: int = 12345) -> None:
    """A process in a directory that stands in for /proc."""
    here = proc / str(pid)
    (here / "net").mkdir(parents=True)
    (here / "fd").mkdir()
    name = command[0].rsplit("/", 1)[-1][:15]
    rest = " ".join(
        str(number) for number in [pid, pid, 0, -1, 4194304, 0, 0, 0, 0, 7, 3, 0, 0, 20, 0, 1, 0, start, 1000]
    )
    (here / "stat").write_text(f"{pid} ({name}) S {parent} {rest}\n")
    (here / "comm").write_text(name + "\n")
    (here / "status").write_text(f"Name:\t{name}\nNSpid:\t{pid}\n")
    (here / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in command))
    (here / "environ").write_bytes(environ)
    (here / "exe").symlink_to(command[0])
    (here / "net" / "tcp").write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    )
    (here / "net" / "tcp6").write_text("")
    (proc / "stat").write_text("cpu 1 2 3\nbtime 1700000000\n")

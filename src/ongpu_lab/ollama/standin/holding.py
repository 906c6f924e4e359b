"""Holding memory on the simulated GPUs: a file for this process that the stand-in driver libraries read.

`procs/PID` below the lab's run directory: first `start N`, N being field 22 of /proc/PID/stat, which tells this process
from a later one with the same number; then a line `GPU_NUMBER MIB NAME` for each GPU.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from . import lab


def _file(pid: int) -> Path:
    return lab.run_dir() / "procs" / str(pid)


def hold(mib: dict[int, int], name: str) -> None:
    """Say that this process holds so many MiB on these GPUs. Raises OSError: a load that nobody sees must not pass."""
    path = _file(os.getpid())
    stat = Path("/proc/self/stat").read_text()
    start = stat.rpartition(")")[2].split()[19]
    lines = [f"start {start}", *(f"{number} {size} {name}" for number, size in sorted(mib.items()) if size)]
    scratch = path.with_name(f".{path.name}")
    scratch.write_text("\n".join(lines) + "\n")
    scratch.rename(path)


def release(pid: int | None = None) -> None:
    with contextlib.suppress(OSError):
        _file(pid or os.getpid()).unlink()

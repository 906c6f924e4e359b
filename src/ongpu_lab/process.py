"""Waiting by condition, and ending processes that are known to be ours."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def boot_id() -> str:
    """The machine's boot id: what was noted in another boot means nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def wait_until(condition: Callable[[], bool], seconds: float, interval: float = 0.02) -> bool:
    """Wait for a condition; False if the time limit passed first."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True


def kill_all(pids: list[int]) -> None:
    """Send SIGKILL to each pid that is still there. Callers take the pids from a cgroup of ours."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

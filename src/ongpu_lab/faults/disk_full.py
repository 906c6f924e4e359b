"""The host's disk is full but for 64 KiB.

Its file system is shrunk to what is on it, so nothing has to be written for it. /var/log/journal is another disk.
"""

from __future__ import annotations

from ongpu_lab.faults.base import Target

FREE_BYTES = 64 * 1024


def apply(target: Target) -> None:
    target.ask("disk", free_bytes=FREE_BYTES)


def clear(target: Target) -> None:
    target.ask("disk", free_bytes=None)

"""The driver does not say how much GPU memory a process holds, as under MIG and WSL."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

_FILE = "/etc/ongpu-lab/gpus.ini"


def apply(target: Target) -> None:
    target.knob(_FILE, "defaults", "process_memory", "unsupported")


def clear(target: Target) -> None:
    target.knob(_FILE, "defaults", "process_memory", None)

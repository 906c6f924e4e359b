"""The firmware gave the GPU no usable address space: its driver cannot start it."""

from __future__ import annotations

from ongpu_lab.faults import _kernel
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _kernel.unload(target)
    _kernel.say(
        target,
        "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
        "NVRM: BAR1 is 0M @ 0x0 (PCI:ADDRESS)",
        "nvidia: probe of ADDRESS failed with error -1",
        "NVRM: The NVIDIA probe routine failed for 1 device(s).",
    )


def clear(target: Target) -> None:
    target.ask("reboot")

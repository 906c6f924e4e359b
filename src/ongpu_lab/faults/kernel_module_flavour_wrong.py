"""The open kernel module does not support the GPU, and says so in the kernel log."""

from __future__ import annotations

from ongpu_lab.faults import _kernel
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _kernel.unload(target)
    _kernel.say(
        target,
        "NVRM: The NVIDIA GPU ADDRESS (PCI ID: 10de:1b80)",
        "NVRM: installed in this system is not supported by open",
        "NVRM: nvidia.ko because it does not include the required GPU",
        "NVRM: System Processor (GSP).",
    )


def clear(target: Target) -> None:
    target.ask("reboot")

"""The driver's branch does not support the GPU any more, and says so in the kernel log."""

from __future__ import annotations

from ongpu_lab.faults import _kernel
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _kernel.unload(target)
    _kernel.say(
        target,
        "NVRM: The NVIDIA GPU ADDRESS (PCI ID: 10de:13c2)",
        "NVRM: installed in this system is not supported by the",
        "NVRM: NVIDIA 590.44.01 driver release.",
        "NVRM: None of the NVIDIA devices were initialized.",
    )


def clear(target: Target) -> None:
    target.ask("reboot")

"""Secure Boot rejects the driver's module: it is not signed with a key that the firmware knows."""

from __future__ import annotations

from ongpu_lab.faults import _kernel
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _kernel.unload(target)
    _kernel.say(target, "Loading of unsigned module is rejected")


def clear(target: Target) -> None:
    target.ask("reboot")

"""Secure Boot rejects the driver's module: it is not signed with a key that the firmware knows. Somebody stands at the
console, who says yes to a key that is to be enrolled."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, secure_boot
from ongpu_lab.faults.base import Target

_FILE = "/etc/ongpu-lab/host.ini"


def apply(target: Target) -> None:
    secure_boot.apply(target)
    target.knob(_FILE, "secure_boot", "console", "enrol")
    _kernel.unload(target)
    target.sh("modprobe nvidia || :")


def clear(target: Target) -> None:
    secure_boot.clear(target)
    target.knob(_FILE, "secure_boot", "console", None)
    target.ask("reboot")

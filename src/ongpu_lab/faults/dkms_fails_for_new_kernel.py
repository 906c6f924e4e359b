"""A later kernel was installed, and DKMS cannot build the driver's module for it: the next boot loses the GPU."""

from __future__ import annotations

from ongpu_lab.faults import new_kernel
from ongpu_lab.faults.base import Target

_FILE = "/etc/ongpu-lab/host.ini"


def apply(target: Target) -> None:
    new_kernel.apply(target)
    target.knob(_FILE, "dkms", "fail_for", new_kernel.release(target))


def clear(target: Target) -> None:
    target.knob(_FILE, "dkms", "fail_for", None)
    new_kernel.clear(target)

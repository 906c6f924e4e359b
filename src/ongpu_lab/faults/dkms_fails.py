"""Kernel modules do not build any more: installing or upgrading the driver fails in DKMS."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

_FILE = "/etc/ongpu-lab/host.ini"


def apply(target: Target) -> None:
    target.knob(_FILE, "dkms", "fail", "yes")


def clear(target: Target) -> None:
    target.knob(_FILE, "dkms", "fail", None)

"""Secure Boot is on: only kernel modules that are signed with a key that the firmware knows are loaded."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

_FILE = "/etc/ongpu-lab/host.ini"


def apply(target: Target) -> None:
    target.knob(_FILE, "secure_boot", "enforced", "yes")
    target.sh("install -m 0755 /usr/lib/ongpu-lab/mokutil /usr/bin/mokutil; /usr/lib/ongpu-lab/firmware")


def clear(target: Target) -> None:
    target.knob(_FILE, "secure_boot", "enforced", None)
    target.sh("! mountpoint -q /sys/firmware || umount /sys/firmware; rm -f /usr/bin/mokutil")

"""There is no NVIDIA GPU on the PCI bus any more, as when it was taken out."""

from __future__ import annotations

from ongpu_lab.faults import _kernel
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _kernel.unload(target)
    target.sh("""
. /usr/lib/ongpu-lab/common.sh
for address in $(gpus); do rm -rf "/sys/bus/pci/devices/$address"; done
""")


def clear(target: Target) -> None:
    target.ask("reboot")

"""nouveau was loaded first and owns the GPU, until the host restarts."""

from __future__ import annotations

from ongpu_lab.faults import _kernel
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _kernel.unload(target)
    target.sh("""
. /usr/lib/ongpu-lab/common.sh
mkdir -p /sys/module/nouveau/holders /sys/bus/pci/drivers/nouveau
echo 0 >/sys/module/nouveau/refcnt
for address in $(gpus); do ln -s ../../drivers/nouveau "/sys/bus/pci/devices/$address/driver"; done
""")
    _kernel.say(target, "NVRM: The NVIDIA probe routine was not called for 1 device(s).")


def clear(target: Target) -> None:
    target.ask("reboot")

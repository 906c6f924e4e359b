"""nvidia_uvm is not loaded, and nvidia-modprobe has lost the permission to load it for the service."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _kernel.unload(target)
    target.sh("modprobe nvidia; rmmod nvidia_uvm 2>/dev/null || :; chmod u-s /usr/bin/nvidia-modprobe")
    _service.restart_at_once(target)


def clear(target: Target) -> None:
    target.sh("chmod u+s /usr/bin/nvidia-modprobe")
    _kernel.load(target)
    _service.restart(target)

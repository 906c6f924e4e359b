"""The GPUs are off the bus until the host restarts: Xid 79 in the kernel log, "GPU is lost" from the driver."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _kernel, _service
from ongpu_lab.faults.base import Target

CAUSE = "gpu-fallen-off-bus"
ENDS_WITH_START = True
GPU_IS_LOST = "15"  # NVML_ERROR_GPU_IS_LOST


def apply(target: Target) -> None:
    _gpu.put(target, error=GPU_IS_LOST)
    _kernel.say(target, "NVRM: Xid (PCI:SLOT): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.")


def clear(target: Target) -> None:
    _gpu.take_back(target, "error")
    _kernel.forget(target)
    _service.restart(target)

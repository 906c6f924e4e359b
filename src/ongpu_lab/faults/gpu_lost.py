"""The first GPU has fallen off the bus: Xid 79 in the kernel log, "GPU is lost" from the driver."""

from __future__ import annotations

from ongpu_lab.faults.base import Target

_FILE = "/etc/ongpu-lab/gpus.ini"
GPU_IS_LOST = "15"  # NVML_ERROR_GPU_IS_LOST


def apply(target: Target) -> None:
    target.knob(_FILE, "gpu0", "error", GPU_IS_LOST)
    target.sh("""
. /usr/lib/ongpu-lab/common.sh
address=$(gpus | head -n 1)
say 3 "NVRM: Xid (PCI:${address%.*}): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
""")


def clear(target: Target) -> None:
    target.knob(_FILE, "gpu0", "error", None)

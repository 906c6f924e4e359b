"""The GPU is reserved for virtual machines (vfio-pci).

What it means: The driver vfio-pci owns the card, so that it can be passed to a virtual machine; NVIDIA's driver
  cannot use it here.
Why it matters: On this machine no program can use the GPU.
How it comes about: A passthrough set-up: vfio-pci.ids or driver_override in modprobe's configuration or on the
  kernel's command line.
Fix: If this machine is to use the card: take its ids out of the vfio configuration (grep -rn vfio /etc/modprobe.d
  /proc/cmdline), rebuild the initramfs, restart. Otherwise run Ollama in the virtual machine that has the card.
Fix safety: manual; decides who gets the card.
References: lspci -nnk; Linux Documentation/driver-api/vfio.rst.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_OWNS = words(
    r"NVIDIA Corporation[^\n]{0,200}(?:\n\s+(?!Kernel driver)[^\n]{0,200}){0,4}\n\s*Kernel driver in use: vfio-pci",
    r"^GPU \S{4,20} is bound to vfio-pci",  # a snapshot's own words
)
_USED = words(r"Kernel driver in use: nvidia\b")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_OWNS)
    if line is None or seen.find(_USED):  # one GPU for this machine and others for virtual ones is a choice
        return None
    return proven("the GPU is reserved for virtual machines (vfio-pci)", line)


RULE = Rule(
    id="SW-045",
    slug="vfio-holds-device",
    severity="critical",
    check=check,
    needs=("system",),
    explains=(
        "driver-not-running",
        "gpu-missing-from-driver",
        "driver-regression",
        "gpu-absent",
    ),
    fires=(
        "01:00.0 VGA compatible controller: NVIDIA Corporation GA102 [GeForce RTX 3090] (rev a1)\n\tSubsystem: eVga.com. Corp. Device 3982\n\tKernel driver in use: vfio-pci\n\tKernel modules: nouveau, nvidia",
    ),
    quiet=(
        "01:00.0 VGA compatible controller: NVIDIA Corporation GA102 [GeForce RTX 3090] (rev a1)\n\tKernel driver in use: nvidia",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

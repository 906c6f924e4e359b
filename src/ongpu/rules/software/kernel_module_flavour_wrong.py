"""The driver's kernel module is of the wrong kind for this GPU.

What it means: NVIDIA has an open and a proprietary kernel module. Cards before Turing need the proprietary one,
  Blackwell and later the open one.
Why it matters: The module is loaded and finds no device; Ollama runs on the CPU.
How it comes about: The distribution or a meta package chose the other kind.
Fix: Install the other kind of the same branch (open: names with -open; proprietary: at most branch 580 for cards
  before Turing), and restart the host.
Fix safety: reboot.
References: NVRM messages in kernel-open/nvidia/nv.c; NVIDIA driver installation guide (kernel modules).
"""

from __future__ import annotations

from ongpu.rules.action import DRIVER, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_NEEDS_PROPRIETARY = words(
    r"not supported by open nvidia\.ko", "does not include the required GPU System Processor", "not supported by the open kernel module",
)  # fmt: skip
_NEEDS_OPEN = words(r"requires use of the NVIDIA open kernel modules", r"requires the open kernel modules?")


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_NEEDS_PROPRIETARY):
        return proven("the open kernel module does not support this GPU, which needs the proprietary one", line)
    if line := seen.find(_NEEDS_OPEN):
        return proven("the proprietary kernel module does not support this GPU, which needs the open one", line)
    return None


RULE = Rule(
    id="SW-043",
    slug="kernel-module-flavour-wrong",
    severity="critical",
    check=check,
    needs=("kernel",),
    explains=(
        "driver-regression",
        "driver-not-running",
        "gpu-init-failed-bios",
        "gpu-missing-from-driver",
    ),
    repair=always(DRIVER, Restart()),
    fires=(
        "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:1b80)\nNVRM: installed in this system is not supported by open nvidia.ko because it does not include the required GPU System Processor (GSP)",
        "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:2b85)\nNVRM: installed in this system requires use of the NVIDIA open kernel modules.",
    ),
    quiet=("NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The driver could not initialise the GPU: the firmware gave it no usable address space.

What it means: The card is on the bus and the driver is there, but its start on this card failed.
Why it matters: nvidia-smi finds no device, so Ollama runs on the CPU.
How it comes about: The machine's firmware gives the card no or too small memory windows (Above 4G Decoding or
  Resizable BAR off, old firmware), or passes it through a virtual machine without them.
Fix: In the firmware set Above 4G Decoding and Resizable BAR on and CSM off, and update it; else try the kernel
  parameter pci=realloc. In a virtual machine use OVMF/q35 with a large MMIO window. If it stays, try the card elsewhere.
Fix safety: manual; needs the machine's console and a reboot.
References: NVIDIA open-gpu-kernel-modules kernel-open/nvidia/nv.c (RmInitAdapter, BAR messages).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, likely, proven

_BAR = words(
    r"BAR ?\d(?: \[[^\n]{0,60}\])? is 0M", r"BAR ?\d[^\n]{0,80}(?:no space|failed to assign|can't assign)", r"request_mem_region failed for",
    "PCI I/O region assigned to your NVIDIA device is invalid", "No address space to allocate resized BAR1",
    r"(?:Above 4G(?: Decoding)?|Resizable BAR|ReBAR)[^\n]{0,40}(?:off|disabled|not enabled|no\b)", "(?:enabl|turn)\\w+ (?:on )?(?:above 4G|resizable BAR|ReBAR)",
)  # fmt: skip
_INIT = words(
    "RmInitAdapter failed",
    "rm_init_adapter failed",
    "Cannot initialize GSP firmware RM",
    "NVIDIA probe routine failed for",
)


def check(seen: Evidence) -> Hit | None:
    failed = seen.find(_INIT)
    if window := seen.told(_BAR):
        return proven(
            "the firmware gives the GPU no usable address space, so its driver cannot start it", window, failed
        )
    return likely("the driver found the GPU but could not initialise it", failed) if failed else None


RULE = Rule(
    id="HW-002",
    slug="gpu-init-failed-bios",
    severity="critical",
    check=check,
    needs=("kernel",),
    explains=("driver-regression", "driver-not-running", "gpu-missing-from-driver"),
    fires=(
        "NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x22:0x56:762)\nNVRM: GPU 0000:01:00.0: rm_init_adapter failed, device minor number 0",
        "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:\nNVRM: BAR1 is 0M @ 0x0 (PCI:0000:01:00.0)",
    ),
    quiet=("NVRM: loading NVIDIA UNIX x86_64 Kernel Module  570.86.15",),
    unknown=('level=INFO source=routes.go msg="Listening on 127.0.0.1:11434 (version 0.20.2)"',),
)

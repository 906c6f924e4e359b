"""The GPU has fallen off the PCI bus.

What it means: The driver can no longer reach a GPU over PCI Express. Every program on it has failed, and CUDA finds
  one GPU less, or none.
Why it matters: Models move to the CPU or to the other GPUs, and reloads fail until the host is restarted.
How it comes about: Power (cables, supply), heat, a loose or bad slot or riser, firmware, or a defective card.
Fix: Restart the host. If it happens again, check power cables, cooling and seating, update the firmware, try lower
  clocks (nvidia-smi -lgc), then swap the card.
Fix safety: reboot; often work at the machine.
References: Xid 79 in NVIDIA's Xid catalogue; NVIDIA open-gpu-kernel-modules issues on Xid 79.
"""

from __future__ import annotations

from ongpu.rules.action import Reboot, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, proven
from ongpu.rules.xid import xids

_OFF = words("(?:has )?fallen off the bus", r"GPU is lost\b", "Unable to determine the device handle for GPU")
_DEAD = words(r"NVIDIA Corporation[^\n]{0,200}\(rev ff\)")


def check(seen: Evidence) -> Hit | None:
    if lost := next((xid for xid in xids(seen) if xid.code == 79), None):
        return proven(f"GPU {lost.address} has fallen off the bus (Xid 79)", lost.line)
    if line := seen.find(_OFF) or seen.find(_DEAD) or codes.nvml_codes(seen).get(15):
        return proven("a GPU has fallen off the bus", line)
    return None


RULE = Rule(
    id="HW-001",
    slug="gpu-fallen-off-bus",
    severity="critical",
    check=check,
    needs=("kernel", "smi", "system"),
    explains=(
        "gpu-init-failed-bios",
        "xid-error",
        "container-gpu-lost-cgroup",
        "driver-not-running",
        "nvidia-uvm-not-loaded",
        "gpu-missing-from-driver",
        "gpu-needs-reset",
        "free-memory-not-read",
    ),
    commands=("sudo systemctl reboot",),
    repair=always(Reboot()),
    fires=(
        "NVRM: Xid (PCI:0000:05:00): 79, pid=1234, name=ollama, GPU has fallen off the bus.",
        "NVRM: GPU 0000:18:00.0: GPU has fallen off the bus.",
        "Unable to determine the device handle for GPU0000:01:00.0: Unknown Error",
        "01:00.0 VGA compatible controller: NVIDIA Corporation GA102 [GeForce RTX 3090] (rev ff)",
    ),
    quiet=("NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""This driver branch no longer supports the GPU.

What it means: The card is too old for the installed driver: the kernel module sees it and leaves it alone.
Why it matters: No program can use the GPU; nvidia-smi says that there are no devices.
How it comes about: An upgrade to a branch after the card's last one: 470 for Kepler, 580 for Maxwell, Pascal and
  Volta.
Fix: Install the last branch for this card (the kernel log names it), hold the packages against upgrades, and restart
  the host.
Fix safety: reboot.
References: NVRM messages in kernel-open/nvidia/nv.c; NVIDIA's supported-gpus.json (legacybranch).
"""

from __future__ import annotations

from ongpu.rules.action import DRIVER, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

# NVRM: installed in this system is supported through the NVIDIA 470.xx Legacy drivers. Please visit …
# NVRM: installed in this system is not supported by the NVIDIA 590.44 driver release.
_SAID = words(
    r"is not supported by the NVIDIA [\w. ]{0,60}driver", r"supported through the NVIDIA [\w.]{2,12} Legacy drivers",
    "ignoring the legacy GPU",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("this driver branch does not support the GPU any more", line) if line else None


RULE = Rule(
    id="SW-042",
    slug="gpu-dropped-by-driver",
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
        "NVRM: The NVIDIA GeForce GT 710 GPU installed in this system is\nNVRM:  supported through the NVIDIA 470.xx Legacy drivers. Please\nNVRM:  visit http://www.nvidia.com/object/unix.html for more",
        "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:1b80)\nNVRM: installed in this system is not supported by the NVIDIA 590.44.01 driver release.",
    ),
    quiet=("NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

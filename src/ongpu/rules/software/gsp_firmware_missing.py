"""The GPU's firmware files (GSP) are missing or of another version.

What it means: The driver loads a firmware into the GPU and does not find the file of its own version.
Why it matters: The driver cannot start the GPU; nvidia-smi says that there are no devices.
How it comes about: The firmware package was not installed or upgraded with the driver (Debian: firmware-nvidia-gsp;
  Ubuntu: nvidia-firmware-BRANCH), or the initramfs holds an old module.
Fix: Install the firmware package of exactly the module's version, rebuild the initramfs, restart the host.
Fix safety: reboot.
References: /lib/firmware/nvidia/VERSION/gsp_*.bin; NVRM messages in the kernel log.
"""

from __future__ import annotations

from ongpu.rules.action import DRIVER, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(
    r"Direct firmware load for nvidia/[^\n]{0,60}failed", r"gsp_\w+\.bin[^\n]{0,60}(?:failed|not found|-2)",
    r"failed to load (?:the )?firmware[^\n]{0,60}gsp", r"firmware nvidia/[^\n]{0,60}gsp[^\n]{0,40}not found",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("the driver does not find the firmware that it loads into the GPU", line) if line else None


RULE = Rule(
    id="SW-044",
    slug="gsp-firmware-missing",
    severity="critical",
    check=check,
    needs=("kernel",),
    explains=(
        "gpu-init-failed-bios",
        "driver-regression",
        "driver-not-running",
    ),
    repair=always(DRIVER),
    fires=(
        "nvidia 0000:01:00.0: Direct firmware load for nvidia/570.86.15/gsp_ga10x.bin failed with error -2\nNVRM: RmInitAdapter: Cannot initialize GSP firmware RM",
    ),
    quiet=("NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

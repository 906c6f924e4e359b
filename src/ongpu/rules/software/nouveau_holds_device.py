"""The driver nouveau owns the GPU.

What it means: Linux's own driver took the card first, so NVIDIA's driver cannot.
Why it matters: nvidia-smi finds no driver; Ollama runs on the CPU.
How it comes about: NVIDIA's driver was installed and nouveau was not blacklisted, the initramfs was not rebuilt, or
  the host was not restarted.
Fix: Blacklist nouveau (blacklist nouveau, options nouveau modeset=0 in /etc/modprobe.d), rebuild the initramfs, restart.
Fix safety: reboot.
References: kernel-open/nvidia/nv.c ("probe routine was not called").
"""

from __future__ import annotations

from ongpu.rules.action import DRIVER, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, likely, proven

_OWNS = words(
    "NVIDIA probe routine was not called", "loaded and obtained ownership of the NVIDIA", "Kernel driver in use: (?:nouveau|nova)",
    "nouveau owns the GPU", r"(?:conflict|incompatible)\w* with (?:the )?nouveau", "Nouveau kernel driver[^\n]{0,60}in use",
)  # fmt: skip
_LOADED = words(r"^\s*nouveau +\d{4,9} +\d", r"nouveau \d{4}:[0-9a-f]{2}:[0-9a-f.]{4}:")


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_OWNS):
        return proven("nouveau owns the GPU", line)
    line = seen.find(_LOADED)
    return likely("nouveau is loaded and holds the GPU", line) if line else None


RULE = Rule(
    id="SW-008",
    slug="nouveau-holds-device",
    severity="critical",
    check=check,
    needs=("kernel", "system"),
    explains=(
        "driver-not-running",
        "gpu-absent",
        "nvidia-uvm-not-loaded",
        "gpu-init-failed-bios",
        "gpu-missing-from-driver",
    ),
    commands=(
        "echo 'blacklist nouveau' | sudo tee /etc/modprobe.d/blacklist-nouveau.conf",
        "sudo update-initramfs -u || sudo dracut --force",
        "sudo systemctl reboot",
    ),
    repair=always(DRIVER, Restart()),
    fires=(
        "NVRM: The NVIDIA probe routine was not called for 3 device(s).",
        "\tKernel driver in use: nouveau",
        "nouveau              2150400  0",
    ),
    quiet=("\tKernel driver in use: nvidia\n\tKernel modules: nouveau, nvidia",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

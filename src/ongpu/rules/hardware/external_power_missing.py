"""The GPU does not get the power that it needs.

What it means: The card's power connectors are not, or not all, connected, or deliver too little.
Why it matters: The driver does not start the card, or it fails under load.
How it comes about: A cable that is not plugged in, an adapter, a power supply that is too small.
Fix: Connect every power connector of the card with a cable of its own, and check the power supply's rating.
Fix safety: manual; work at the machine.
References: Xid 54; NVML return code 8; nvidia-smi exit code 8.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, proven
from ongpu.rules.xid import xids

_SAID = words(
    "GPU does not have the necessary power cables connected", "power cables? (?:is|are) not (?:properly )?connected",
    "requires additional power",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    xid = next((one.line for one in xids(seen) if one.code == 54), None)
    line = xid or seen.find(_SAID) or codes.nvml_codes(seen).get(8)
    return proven("the GPU does not get the power that it needs", line) if line else None


RULE = Rule(
    id="HW-018",
    slug="external-power-missing",
    severity="critical",
    check=check,
    needs=(
        "kernel",
        "smi",
    ),
    explains=(
        "gpu-init-failed-bios",
        "xid-error",
        "driver-not-running",
    ),
    fires=(
        "NVRM: Xid (PCI:0000:03:00): 54, pid=1, name=systemd, Hardware Watchdog: auxiliary power is not connected",
        "NVRM: GPU does not have the necessary power cables connected.",
        "Failed to initialize NVML: Insufficient External Power",
    ),
    quiet=("NVRM: loading NVIDIA UNIX x86_64 Kernel Module  570.86.15",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

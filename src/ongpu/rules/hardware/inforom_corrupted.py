"""The GPU's own configuration memory (infoROM) is damaged.

What it means: The driver cannot read the board's infoROM; counters and settings that are kept there are lost.
Why it matters: The card often works on, but its error counters cannot be trusted.
How it comes about: A power loss during a write, or a failing board.
Fix: Update the driver and the board's firmware; if the message stays, have the card exchanged.
Fix safety: manual.
References: nvidia-smi "WARNING: infoROM is corrupted"; NVML return code 14.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, proven


def check(seen: Evidence) -> Hit | None:
    line = codes.nvml_codes(seen).get(14)
    return proven("the infoROM of a GPU is damaged", line) if line else None


RULE = Rule(
    id="HW-019",
    slug="inforom-corrupted",
    severity="warning",
    check=check,
    needs=("smi",),
    fires=("WARNING: infoROM is corrupted at gpu 0000:41:00.0",),
    quiet=("| NVIDIA-SMI 580.95.05   Driver Version: 580.95.05   CUDA Version: 13.0 |",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

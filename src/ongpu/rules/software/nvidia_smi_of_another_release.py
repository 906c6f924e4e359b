"""nvidia-smi and the NVML library are of different releases.

What it means: The program nvidia-smi finds a library that belongs to another driver version.
Why it matters: Two drivers' files are mixed on this machine; others than nvidia-smi may find the wrong one too.
How it comes about: A .run installer beside packages, a half-finished upgrade, or a path that leads to an old
  nvidia-smi.
Fix: Find both (which -a nvidia-smi; ldconfig -p | grep nvidia-ml), remove what does not belong to the installed
  driver packages, run ldconfig.
Fix safety: manual.
References: nvidia-smi "Mismatch in versions between nvidia-smi and NVML" (exit code 255).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words("Mismatch in versions between nvidia-smi and NVML", "using nvidia-smi provided with the driver")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("nvidia-smi and the NVML library are of different releases", line) if line else None


RULE = Rule(
    id="SW-047",
    slug="nvidia-smi-of-another-release",
    severity="warning",
    check=check,
    needs=("smi",),
    fires=(
        "Mismatch in versions between nvidia-smi and NVML.\nAre you sure you are using nvidia-smi provided with the driver?",
    ),
    quiet=("| NVIDIA-SMI 580.95.05   Driver Version: 580.95.05   CUDA Version: 13.0 |",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

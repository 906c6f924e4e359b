"""Ollama found the GPU and dropped it when it tried it.

What it means: Ollama starts each GPU alone once, at its start. This one did not come up, and is not used until the
  next start.
Why it matters: Models run on the other GPUs or on the CPU.
How it comes about: The GPU is in exclusive mode and taken, has an error that waits for a reset, has no free memory
  for a CUDA context, or took too long.
Fix: Look at nvidia-smi -q for errors and compute mode and at dmesg for Xids; run Ollama once with OLLAMA_DEBUG=2 to
  see the reason; restart Ollama when it is cured.
Fix safety: restart.
References: Ollama discover/runner.go (second pass of the discovery).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import mig, placement
from ongpu.rules.rule import Hit, Rule, likely, possible

_FILTERED = words(r"filtering device which didn't fully initialize(?![^\n]{0,300}library=\"?(?:Vulkan|ROCm))")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_FILTERED)
    if line is None or mig.instance(seen) or mig.enabled(seen):
        return None
    nothing = placement.none_found(seen)
    make = likely if nothing else possible  # cuda_v12 may fail where cuda_v13 works
    return make("Ollama dropped a GPU that did not start when it was tried", line, nothing)


RULE = Rule(
    id="SW-048",
    slug="gpu-failed-validation",
    severity="critical",
    check=check,
    needs=("log",),
    fires=(
        'level=DEBUG source=runner.go:160 msg="filtering device which didn\'t fully initialize" id=0 libdir=/usr/lib/ollama/cuda_v13 pci_id=0000:01:00.0 library=CUDA\nlevel=INFO msg="inference compute" id=cpu library=cpu',
    ),
    quiet=(
        'level=INFO msg="inference compute" id=0 library=CUDA compute=8.6 name=CUDA0 description="NVIDIA GeForce RTX 3060"',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

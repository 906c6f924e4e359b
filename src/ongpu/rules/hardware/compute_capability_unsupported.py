"""The GPU is older than what this Ollama release supports.

What it means: Ollama's CUDA libraries have no code for a GPU of this compute capability.
Why it matters: The GPU is left out; models run on the CPU.
How it comes about: The card is below the floor (5.0 today; releases before 0.1.22 wanted more), or the release
  dropped it.
Fix: Use a release that supports the card (5.0 and 5.2 since 0.1.22), build Ollama for its architecture, or use
  another card.
Fix safety: manual.
References: Ollama docs/gpu.mdx; discover/runner.go (architecture check); Ollama pull request 2116.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, gpus, placement
from ongpu.rules.rule import Hit, Rule, likely, proven

_TOO_OLD = words(
    "CUDA GPU is too old",
    "GPU is too old",
)
# One set of libraries may say so where the next one serves the GPU.
_SKIPPED = words("unsupported compute capability", "compute capability[^\n]{0,40}(?:below|less than|not supported)")
_FLOOR = 5.0
_NARROW = 6.0  # releases before 0.1.22 had kernels from 6.0 on


def check(seen: Evidence) -> Hit | None:
    oldest = min(gpus.capabilities(seen), key=lambda one: one[0], default=None)
    which = f" {oldest[0]}" if oldest else ""
    if line := seen.find(_TOO_OLD) or (None if placement.gpu_seen(seen) else seen.find(_SKIPPED)):
        return proven(f"the GPU's compute capability{which} is below what this Ollama release supports", line)
    if oldest is None:
        return None
    value, line = oldest
    newest = max(gpus.capabilities(seen), key=lambda one: one[0])[0]
    kernels = codes.cuda_codes(seen).get(209)
    if (
        value < _FLOOR
        and newest < _FLOOR
        and (kernels or placement.no_gpu(seen) or line.kind in ("log", "smi", "system", "prose", "text"))
    ):
        return likely(f"the GPU's compute capability {value} is below {_FLOOR}", line, kernels)
    if _FLOOR <= value < _NARROW and kernels:
        return likely(f"this release has no code for the GPU's compute capability {value}", line, kernels)
    return None


RULE = Rule(
    id="HW-003",
    slug="compute-capability-unsupported",
    severity="critical",
    check=check,
    needs=("log", "smi", "system"),
    explains=("cuda-arch-not-in-build",),
    fires=(
        "2024/01/15 10:09:09 gpu.go:138: CUDA GPU is too old. Falling back to CPU mode. Compute Capability detected: 5.2",
        'time=2025-01-15T10:00:00Z level=INFO source=gpu.go:321 msg="[0] CUDA GPU is too old. Compute Capability detected: 3.5"',
        "ggml_cuda_init: found 1 CUDA devices:\n  Device 0: Tesla K80, compute capability 3.7, VMM: no",
    ),
    quiet=("  Device 0: NVIDIA GeForce RTX 3060, compute capability 8.6, VMM: yes",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

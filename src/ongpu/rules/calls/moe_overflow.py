"""Experts of a mixture-of-experts model overflow to main memory.

What it means: All layers count as offloaded, and the experts of some of them stay in main memory, on the CPU.
Why it matters: ollama ps may say 100 % GPU, and the speed is that of the CPU.
How it comes about: The model is larger than the GPU's memory; since 0.30 the runner then moves experts first.
Fix: Use a smaller quantisation, a smaller context, or more GPU memory.
Fix safety: manual.
References: llama.cpp common/fit.cpp ("overflowing").
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(r"\([ ]*([1-9]\d{0,3}) overflowing\)")


def check(seen: Evidence) -> Hit | None:
    hits = list(seen.all(_SAID))
    if not hits:
        return None
    return proven(f"experts of {hits[-1].match[1]} layers lie in main memory", hits[-1].line)


RULE = Rule(
    id="CALL-008",
    slug="moe-overflow",
    severity="warning",
    check=check,
    needs=("log",),
    explains=(
        "hidden-cpu-work",
        "model-slightly-too-large",
        "model-too-large",
    ),
    fires=(
        "common_params_fit_impl:   - CUDA0 (NVIDIA GeForce RTX 4060): 49 layers (12 overflowing),   7000 MiB used,    900 MiB free",
    ),
    quiet=(
        "common_params_fit_impl:   - CUDA0 (NVIDIA GeForce RTX 4060): 49 layers (0 overflowing),   7000 MiB used,    900 MiB free",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

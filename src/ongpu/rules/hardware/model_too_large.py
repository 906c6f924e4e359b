"""The model's weights are far larger than the GPUs' memory.

What it means: The weights alone do not fit into the free memory of all GPUs together.
Why it matters: The layers that do not fit run on the CPU, and set the speed.
How it comes about: A model, or a quantisation, that is too big for these cards.
Fix: Use a smaller quantisation (such as q4_K_M), a smaller model, or more GPU memory.
Fix safety: manual.
References: Ollama docs/faq.mdx (how models are loaded onto GPUs).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import shortage
from ongpu.rules.rule import Hit, Rule, likely, proven


def check(seen: Evidence) -> Hit | None:
    found = shortage.cause(seen)
    if found is None or found[0] != "weights":
        return None
    short = found[1]
    if short.weights and short.free:
        weights, free = short.weights / 2**30, short.free / 2**30
        return proven(
            f"the model's weights ({weights:.1f} GiB) exceed the free GPU memory ({free:.1f} GiB)", short.line
        )
    return likely(f"only {short.share:.0%} of the model fits on the GPU", short.line)


RULE = Rule(
    id="HW-010",
    slug="model-too-large",
    severity="warning",
    check=check,
    needs=("log", "ps"),
    fires=(
        'level=INFO source=server.go:168 msg=offload library=cuda layers.requested=-1 layers.model=81 layers.offload=20 memory.available="[10.9 GiB]" memory.required.full="43.1 GiB" memory.required.kv="640.0 MiB" memory.weights.total="39.6 GiB"',
        "llama3.3:70b    a6eb4748fd29    46 GB    74%/26% CPU/GPU    4096    4 minutes from now",
    ),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

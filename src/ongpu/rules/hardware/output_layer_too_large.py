"""The output layer alone does not fit on the GPU.

What it means: All repeating layers are on the GPU, and the output layer is left on the CPU.
Why it matters: Every token passes through it; a model with a large vocabulary becomes much slower.
How it comes about: A very large vocabulary or embedding (gemma models), and a card that is just too small for it.
Fix: Free some hundred MiB: a smaller context (num_ctx), a quantised cache, or a smaller quantisation.
Fix safety: manual.
References: Ollama llm/memory.go and server/sched.go (the output layer is placed last).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import placement, shortage
from ongpu.rules.rule import Hit, Rule, likely, proven


def check(seen: Evidence) -> Hit | None:
    found = shortage.cause(seen)
    if found is not None and found[0] == "output":
        part, whole, line = next(one for one in reversed(placement.layers(seen)) if one[0] == one[1] - 1)
        return proven(f"{part} of {whole} layers are on the GPU: the output layer alone does not fit", line)
    if found is not None and found[0] == "little" and (plan := found[1].plan) and plan.offloaded == plan.layers - 1:
        return likely(f"{plan.offloaded} of {plan.layers} layers fit: the output layer does not", plan.line)
    return None


RULE = Rule(
    id="HW-012",
    slug="output-layer-too-large",
    severity="warning",
    check=check,
    needs=("log",),
    explains=("model-slightly-too-large",),
    fires=(
        'level=INFO source=ggml.go:486 msg="offloading output layer to CPU"\nlevel=INFO source=ggml.go:494 msg="offloaded 42/43 layers to GPU"',
    ),
    quiet=('level=INFO source=ggml.go:494 msg="offloaded 43/43 layers to GPU"',),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

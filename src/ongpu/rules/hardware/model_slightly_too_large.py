"""Most of the model fits on the GPU, the last layers do not.

What it means: A little more GPU memory is needed than is free; some layers run on the CPU.
Why it matters: A few layers on the CPU already cost most of the speed.
How it comes about: A model of about the card's size, a larger context, a desktop or another program on the card.
Fix: Use a smaller context (num_ctx), a quantised cache (OLLAMA_KV_CACHE_TYPE=q8_0 with flash attention), a smaller
  quantisation, or free the GPU's memory.
Fix safety: manual.
References: Ollama docs/faq.mdx; llama.cpp common/fit.cpp (1 GiB margin per device since 0.30).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import shortage
from ongpu.rules.rule import Hit, Rule, likely


def check(seen: Evidence) -> Hit | None:
    found = shortage.cause(seen)
    if found is None or found[0] != "little":
        return None
    short = found[1]
    return likely(f"{short.share:.0%} of the model is on the GPU: the last layers do not fit", short.line)


RULE = Rule(
    id="HW-011",
    slug="model-slightly-too-large",
    severity="warning",
    check=check,
    needs=("log", "ps"),
    fires=(
        'level=INFO source=ggml.go:494 msg="offloaded 29/37 layers to GPU"',
        "qwen2.5:7b   845dbda0ea48   7.2 GB   12%/88% CPU/GPU   4 minutes from now",
    ),
    quiet=('level=INFO source=ggml.go:494 msg="offloaded 37/37 layers to GPU"',),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""Many parallel requests multiply the cache.

What it means: OLLAMA_NUM_PARALLEL reserves a context for each parallel request, and all of them must fit.
Why it matters: The cache pushes layers of the model to the CPU.
How it comes about: The variable was set high for throughput.
Fix: Set OLLAMA_NUM_PARALLEL to 1 or a small number, or use a smaller num_ctx, and restart Ollama.
Fix safety: restart.
References: Ollama docs/faq.mdx (concurrent requests).
"""

from __future__ import annotations

from ongpu.rules.action import Unset, always
from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import placement, settings, shortage
from ongpu.rules.rule import Hit, Rule, likely, proven


def check(seen: Evidence) -> Hit | None:
    slots = settings.parallel(seen)
    if slots is None or slots[0] < 2:
        return None
    found = shortage.cause(seen)
    symptom = (
        found[1].line if found else next((r.line for r in placement.residents(seen) if r.cpu_percent == 100), None)
    )
    if symptom is None:
        return None
    if slots[0] > 4:
        return proven(f"{slots[0]} parallel requests multiply the cache, and layers move to the CPU", slots[1], symptom)
    explicit = settings.environment(seen).get("OLLAMA_NUM_PARALLEL")
    if explicit and explicit.is_explicit and found and found[0] in ("context", "little"):
        return likely(f"{slots[0]} parallel requests multiply the cache", slots[1], symptom)
    return None


RULE = Rule(
    id="CALL-003",
    slug="num-parallel-too-high",
    severity="warning",
    check=check,
    needs=("env", "log"),
    explains=("context-too-large", "model-slightly-too-large", "model-too-large", "vram-below-minimum", "vram-oom"),
    commands=(
        "sudo systemctl edit ollama   # [Service] Environment=OLLAMA_NUM_PARALLEL=1",
        "sudo systemctl restart ollama",
    ),
    repair=always(Unset(("OLLAMA_NUM_PARALLEL",))),
    fires=("OLLAMA_NUM_PARALLEL=64\nllm_load_tensors: offloaded 15/33 layers to GPU",),
    quiet=("OLLAMA_NUM_PARALLEL=64\nllm_load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

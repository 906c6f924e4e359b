"""Too little GPU memory is free for even one layer.

What it means: Ollama found the GPU but put no layer on it: what is free is under the minimum for this model.
Why it matters: The whole model runs on the CPU.
How it comes about: A small card, a vision projector or a large compute buffer that must be on the GPU first, other
  programs in its memory, or a large context.
Fix: Use a smaller model or quantisation, a smaller context (num_ctx), or free the GPU's memory.
Fix safety: manual.
References: Ollama llm/memory.go (minimum memory per GPU), server.go `insufficient VRAM to load any model layers`.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, gpus, placement
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(
    "insufficient VRAM to load any model layers", "gpu has too little memory to allocate any layers", "GPU too small",
    "minimum memory|minimum_memory",
)  # fmt: skip
# msg="offload to gpu" reallayers=0 layers=0 required="5033.0 MiB" used="0 B" available="1050.0 MiB" …     (0.1.3x)
_OLD_PLAN = words(r"msg=\"offload to gpu\"[^\n]{0,60} layers=0 [^\n]{0,200}")
_SMALL = 3 * 2**30
_LARGE_CACHE = 8  # as in ongpu.rules.facts.shortage


def check(seen: Evidence) -> Hit | None:
    plans = [plan for plan in placement.offloads(seen) if not plan.offloaded and plan.available and plan.requested != 0]
    if plans:
        plan = plans[-1]
        if plan.weights and plan.weights > 2 * plan.available:
            return None
        if plan.kv * _LARGE_CACHE >= plan.available:  # it is the context that does not fit
            return None
        free = plan.available / 2**30
        need = f" of {plan.full / 2**30:.1f} GiB needed" if plan.full else ""
        return proven(f"no layer fits: {free:.1f} GiB of GPU memory free{need}", plan.line)
    if line := seen.find(_SAID):
        return likely("too little GPU memory is free for any layer", line)
    if line := seen.find(_OLD_PLAN):
        return proven("no layer fits into the free GPU memory", line)
    nothing = next((line for part, whole, line in placement.layers(seen) if part == 0 and whole), None)
    small = next((line for _, free, line in gpus.found_memory(seen) if free < _SMALL), None)
    if _would_fit(seen) or codes.cuda_codes(seen) or any(part for part, _, _ in placement.layers(seen)):
        return None
    if nothing and small:
        return likely("no layer was put on the GPU, and little of its memory is free", small, nothing)
    return None


def _would_fit(seen: Evidence) -> bool:
    """The last load's weights and cache are known to be much smaller than the free memory."""
    load = next(iter(reversed(seen.once(placement.loads_of))), None)
    free = max((free for _, free, _ in gpus.found_memory(seen)), default=0)
    size = sum(buffer.mib for buffer in load.buffers) * 2**20 if load else 0
    return 0 < size < free / 2


RULE = Rule(
    id="HW-009",
    slug="vram-below-minimum",
    severity="critical",
    check=check,
    needs=("log",),
    explains=("model-slightly-too-large", "model-too-large", "context-too-large"),
    fires=(
        'level=INFO source=memory.go:356 msg="offload to cuda" layers.requested=-1 layers.model=33 layers.offload=0 memory.available="[1.1 GiB]" memory.required.full="3.6 GiB" memory.weights.total="1.8 GiB" projector.weights="1.8 GiB"',
        'level=DEBUG source=memory.go:168 msg="gpu has too little memory to allocate any layers" id=GPU-1 library=cuda total="1.9 GiB" available="900.0 MiB"',
    ),
    quiet=(
        'level=INFO source=server.go:168 msg=offload library=cuda layers.requested=-1 layers.model=33 layers.offload=33 memory.available="[14.7 GiB]" memory.required.full="6.7 GiB"',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

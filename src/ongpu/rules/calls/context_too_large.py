"""The context is too large for the GPU's memory.

What it means: The weights would fit; the cache and buffers for this context (num_ctx) do not, beside them.
Why it matters: Layers, or the whole model, move to the CPU.
How it comes about: A request, client or Modelfile asks for a long context, or OLLAMA_CONTEXT_LENGTH sets one.
Fix: Use a smaller num_ctx, or a quantised cache (OLLAMA_KV_CACHE_TYPE=q8_0 with OLLAMA_FLASH_ATTENTION=1), which halves
  it; load the model again.
Fix safety: safe.
References: Ollama docs/context-length.mdx and docs/faq.mdx (K/V cache).
"""

from __future__ import annotations

from ongpu.rules.action import Action, Unload
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, placement, settings, shortage
from ongpu.rules.rule import Hit, Rule, likely, proven

_OUT = words("out of memory")
_SAID = words(
    r"reducing automatic context[^\n]{0,120}", r"context size reduced from \d{4,8} to \d{3,8}[^\n]{0,80}", r"failed to allocate[^\n]{0,60}(?:kv|cache)[^\n]{0,60}",
    r"(?:kv|cache)[^\n]{0,40}(?:failed to allocate|out of memory)",
)  # fmt: skip
_LONG = 32768


def check(seen: Evidence) -> Hit | None:
    asked = settings.context(seen)
    tokens = f" of {asked[0]} tokens" if asked else ""
    if line := seen.find(_SAID):
        return proven(f"the context{tokens} does not fit on the GPU", line)
    found = shortage.cause(seen)
    if found and found[0] == "context":
        short = found[1]
        size = f" ({short.kv / 2**30:.1f} GiB of cache)" if short.kv else ""
        return likely(
            f"the context{tokens}{size} does not fit on the GPU beside the model",
            short.line,
            asked[1] if asked else None,
        )
    out = seen.find(_OUT)
    if out and asked and asked[0] >= _LONG:
        return likely(f"the GPU ran out of memory with a context{tokens}", out, asked[1])
    nothing = next((row for row in placement.residents(seen) if row.cpu_percent == 100), None)
    if nothing and nothing.context and nothing.context >= _LONG:
        asked = asked if asked and asked[0] > nothing.context else (nothing.context, nothing.line)
        tokens = f" of {asked[0]} tokens"
    zero = next((line for part, whole, line in placement.layers(seen) if part == 0 and whole), None)
    line = nothing.line if nothing else (zero if placement.gpu_seen(seen) and not codes.cuda_codes(seen) else None)
    if line and asked and asked[0] >= _LONG and found is None and not placement.none_found(seen):
        return likely(f"with a context{tokens} the model does not fit on the GPU", line, asked[1])
    return None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    """Whoever asks for it again gets it again: the client has to be told as well."""
    resident = tuple(row.name for row in placement.residents(seen) if row.cpu_percent)
    return (Unload(resident),) if resident else ()


RULE = Rule(
    id="CALL-002",
    slug="context-too-large",
    severity="warning",
    check=check,
    needs=("log", "ps", "call"),
    explains=("model-slightly-too-large", "model-too-large", "vram-oom", "single-gpu-chosen"),
    repair=_repair,
    fires=(
        'level=INFO source=server.go:130 msg=offload library=cuda layers.requested=-1 layers.model=81 layers.offload=44 memory.available="[22.0 GiB 22.0 GiB]" memory.required.full="60.4 GiB" memory.required.kv="19.5 GiB" memory.weights.total="37.3 GiB"',
        "PARAMETER num_ctx 131072\ndeepseek-r1:32b    aaaaaaaaaaaa    65 GB     100% CPU     4 minutes from now",
        "llama3.1:8b    46e0c10c039e    29 GB    41%/59% CPU/GPU    131072    4 minutes from now",
    ),
    quiet=("llama3.1:8b    46e0c10c039e    29 GB    100% GPU    131072    4 minutes from now",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

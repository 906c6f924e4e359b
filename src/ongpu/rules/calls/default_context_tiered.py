"""The default context, chosen by the GPUs' total memory, is too large for this model.

What it means: Since 0.15.5 Ollama takes 32,768 or 262,144 tokens by itself when the GPUs have 24 or 48 GiB in all.
Why it matters: The cache for such a context pushes layers to the CPU, though nobody asked for it.
How it comes about: A large model on a machine with much memory and no context set.
Fix: Set OLLAMA_CONTEXT_LENGTH (such as 8192) for the service, or num_ctx for the model, and load it again.
Fix safety: restart.
References: Ollama server/routes.go ("vram-based default context").
"""

from __future__ import annotations

from ongpu.rules.action import Assign, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus, placement, settings, shortage
from ongpu.rules.rule import Hit, Rule, likely, proven

_TOLD = words(
    r"default (?:context|num_ctx)", r"\b0\.15\.[5-9]\b[^\n]{0,120}context", r"context[^\n]{0,120}\b0\.15\.[5-9]\b"
)
_TIERS = (32768, 262144)


def check(seen: Evidence) -> Hit | None:
    found = shortage.cause(seen)
    short = found[1].line if found else next((r.line for r in placement.residents(seen) if r.cpu_percent), None)
    if short is None or settings.asked_context(seen):
        return None
    default = settings.default_context(seen)
    if default and default[0] >= _TIERS[0]:
        return proven(f"the default context of {default[0]} tokens does not fit beside the model", default[1], short)
    version = gpus.ollama_version(seen)
    runner, slots, told = settings.context(seen), settings.parallel(seen), seen.told(_TOLD)
    if default:  # the server says its default, and it is a small one
        return None
    one = slots is None or slots[0] == 1  # a runner's context is that of all its slots together
    if runner and one and runner[0] in _TIERS and (told or (version and version >= (0, 15, 5))):
        return likely(
            f"the context of {runner[0]} tokens, Ollama's default by GPU memory, does not fit", runner[1], told
        )
    row = next((r for r in placement.residents(seen) if r.cpu_percent and r.context in _TIERS), None)
    if row and (version is None or version >= (0, 15, 5)):
        return likely(f"the context of {row.context} tokens, Ollama's default by GPU memory, does not fit", row.line)
    return None


RULE = Rule(
    id="CALL-004",
    slug="default-context-tiered",
    severity="warning",
    check=check,
    needs=("log", "ps"),
    explains=("context-too-large", "model-slightly-too-large", "model-too-large"),
    commands=(
        "sudo systemctl edit ollama   # [Service] Environment=OLLAMA_CONTEXT_LENGTH=8192",
        "sudo systemctl restart ollama",
    ),
    repair=always(Assign("OLLAMA_CONTEXT_LENGTH", "8192")),
    fires=(
        'level=INFO msg="vram-based default context" total_vram="48.0 GiB" default_num_ctx=262144\nqwen3:30b 0b28110b7a33 61 GB 35%/65% CPU/GPU 262144 4 minutes from now',
        "qwen3:30b 0b28110b7a33 61 GB 35%/65% CPU/GPU 262144 4 minutes from now",
    ),
    quiet=(
        'level=INFO msg="vram-based default context" total_vram="12.0 GiB" default_num_ctx=4096\nqwen3:30b 0b28110b7a33 21 GB 35%/65% CPU/GPU 4096 4 minutes from now',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""A large batch takes GPU memory from the model.

What it means: The buffers for computing grow with num_batch, and here it is 1024 or more.
Why it matters: Layers that would fit with a smaller batch are on the CPU.
How it comes about: num_batch in a request or Modelfile, or Ollama's own choice for a long context (0.30 and later).
Fix: Set num_batch 512 for the model, or use a smaller context; load the model again.
Fix safety: safe.
References: Ollama llm/llama_server.go (automatic batch size).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement, settings
from ongpu.rules.rule import Hit, Rule, proven

_BATCH = words(r"[\"']?\bnum_batch[\"']?(?: |:|=){1,4}(\d{1,6})", r"(?<= )-ub (\d{1,6})")
_LARGE = 1024


def check(seen: Evidence) -> Hit | None:
    batch, part = settings.number(seen, _BATCH), placement.not_on_gpu(seen)
    if batch and part and batch[0] >= _LARGE:
        return proven(f"a batch of {batch[0]} takes GPU memory from the model", batch[1], part)
    return None


RULE = Rule(
    id="CALL-018",
    slug="large-batch",
    severity="info",
    check=check,
    needs=(
        "call",
        "log",
    ),
    fires=(
        "PARAMETER num_batch 2048\nqwen3:14b    bdbd181c33f2    11 GB    9%/91% CPU/GPU    4096    4 minutes from now",
    ),
    quiet=(
        "PARAMETER num_batch 512\nqwen3:14b    bdbd181c33f2    11 GB    9%/91% CPU/GPU    4096    4 minutes from now",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The vision projector was put on the CPU.

What it means: The part of a vision model that reads images did not fit on the GPU and runs on the CPU.
Why it matters: Text is fast, images take long.
How it comes about: The projector needs its size and a reserve free on every listed GPU.
Fix: Free GPU memory, use a smaller context or quantisation, and load the model again.
Fix safety: safe.
References: Ollama llm/llama_server.go (projector offload).
"""

from __future__ import annotations

from ongpu.rules.action import Action, Unload
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words("disabling multimodal projector offload", "retrying with projector CPU offload", "--no-mmproj-offload")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("the vision projector runs on the CPU", line) if line else None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    """Whoever asks for it again gets it again: the client has to be told as well."""
    resident = tuple(row.name for row in placement.residents(seen))
    return (Unload(resident),) if resident else ()


RULE = Rule(
    id="CALL-007",
    slug="projector-on-cpu",
    severity="warning",
    check=check,
    needs=("log",),
    repair=_repair,
    fires=(
        'level=INFO source=llama_server.go msg="disabling multimodal projector offload" reason="not enough free memory"',
    ),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

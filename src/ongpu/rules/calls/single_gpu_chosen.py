"""The model was put on one GPU of several, and does not fit there.

What it means: Ollama takes one GPU alone when it expects the model to fit, or when main_gpu names one; the others
  stay empty.
Why it matters: Layers run on the CPU beside an empty GPU.
How it comes about: main_gpu in a request or Modelfile, or an estimate that was too low (a long context, a vision
  model).
Fix: Remove main_gpu, or set OLLAMA_SCHED_SPREAD=1 for the service and restart it; load the model again.
Fix safety: restart.
References: Ollama llm/llama_server.go (selectLlamaServerPlacement).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement
from ongpu.rules.rule import Hit, Rule, likely

_SINGLE = words(
    r"selecting[^\n]{0,20} single GPU for llama-server model[^\n]{0,200}",
    r"--split-mode none[^\n]{0,40}",
    r"[\"']?\bmain_gpu[\"']?(?: |:|=){1,4}\d{1,2}\b",
)


def check(seen: Evidence) -> Hit | None:
    single, part = seen.find(_SINGLE), placement.not_on_gpu(seen)
    if single and part:
        return likely("the model was put on one GPU of several and does not fit there", single, part)
    return None


RULE = Rule(
    id="CALL-013",
    slug="single-gpu-chosen",
    severity="warning",
    check=check,
    needs=(
        "log",
        "call",
    ),
    explains=(
        "model-slightly-too-large",
        "output-layer-too-large",
    ),
    fires=(
        'level=INFO source=llama_server.go:300 msg="selecting single GPU for llama-server model" main_gpu=0 library=CUDA predicted="9.0 GiB" available="11.4 GiB"\nload_tensors: offloaded 28/41 layers to GPU',
    ),
    quiet=(
        'level=INFO source=llama_server.go:300 msg="selecting single GPU for llama-server model" main_gpu=0 library=CUDA\nload_tensors: offloaded 41/41 layers to GPU',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

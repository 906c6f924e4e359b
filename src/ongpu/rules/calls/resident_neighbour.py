"""Another model of this Ollama holds the GPU memory.

What it means: Models stay loaded for a while after use. This one was put beside another, and not all of it fitted.
Why it matters: A part of the model runs on the CPU until it is loaded anew with more room.
How it comes about: Several models in use at once; long or endless keep_alive; the server judged that both would fit.
Fix: Unload what is not needed (ollama stop NAME), or set OLLAMA_MAX_LOADED_MODELS=1 or a shorter OLLAMA_KEEP_ALIVE;
  then load the model again.
Fix safety: safe.
References: Ollama server/sched.go ("fits alongside existing models").
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement
from ongpu.rules.rule import Hit, Rule, likely

_BESIDE = words(
    r"fits alongside existing models[^\n]{0,120}", r"updated VRAM based on existing loaded models[^\n]{0,120}",
    r"new model will fit in available VRAM, loading",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    rows = placement.residents(seen)
    partly = next((row for row in rows if 0 < row.cpu_percent < 100), None)
    other = next((row for row in rows if row.cpu_percent < 100 and partly and row.name != partly.name), None)
    if partly and other:
        return likely(f"{other.name} is resident too: {partly.name} does not fit beside it", partly.line, other.line)
    beside, part = seen.find(_BESIDE), placement.not_on_gpu(seen)
    return likely("the model was loaded beside another and does not fit", part, beside) if beside and part else None


RULE = Rule(
    id="CALL-012",
    slug="resident-neighbour",
    severity="warning",
    check=check,
    needs=(
        "ps",
        "log",
    ),
    explains=(
        "model-slightly-too-large",
        "output-layer-too-large",
    ),
    fires=(
        "qwen3:14b    bdbd181c33f2    11 GB    30%/70% CPU/GPU    4096    4 minutes from now\nllama3.1:8b    46e0c10c039e    6.2 GB    100% GPU    4096    Forever",
        'level=INFO source=sched.go:780 msg="updated VRAM based on existing loaded models" gpu=GPU-1 total="11.6 GiB" available="3.9 GiB"\nlevel=INFO source=ggml.go:494 msg="offloaded 21/33 layers to GPU"',
    ),
    quiet=(
        "qwen3:14b    bdbd181c33f2    11 GB    100% GPU    4096    4 minutes from now\nllama3.1:8b    46e0c10c039e    6.2 GB    100% GPU    4096    Forever",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

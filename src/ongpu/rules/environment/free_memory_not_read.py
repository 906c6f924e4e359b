"""Ollama cannot read how much GPU memory is free.

What it means: The server goes on with the figures of an earlier look.
Why it matters: It may put too much or too little on the GPU; often it is the first sign that the GPU is lost.
How it comes about: A GPU that fell off the bus, a driver that was upgraded under the service, a container that lost
  its devices, or a busy host on which the look takes longer than three seconds.
Fix: See what nvidia-smi says now; restart Ollama when it is fine again.
Fix safety: restart.
References: Ollama discover/runner.go (refresh before each load, 3 s).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement
from ongpu.rules.rule import Hit, Rule, likely

_SAID = words("unable to refresh (?:all )?(?:free memory|GPUs?)[^\n]{0,120}")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    if line is None or placement.is_fully_on_gpu(seen):
        return None
    return likely("Ollama cannot read how much GPU memory is free", line, placement.not_on_gpu(seen))


RULE = Rule(
    id="ENV-019",
    slug="free-memory-not-read",
    severity="warning",
    check=check,
    needs=("log",),
    fires=(
        'level=WARN source=runner.go:350 msg="unable to refresh free memory, using old values"\nlevel=INFO source=ggml.go:494 msg="offloaded 0/33 layers to GPU"',
    ),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The model needs the MLX runtime, which is not installed.

What it means: Models in safetensors form run in another runner (MLX), whose libraries come in an archive of their
  own.
Why it matters: The model does not load; models in GGUF form are not concerned.
How it comes about: The installation script never fetches the archive ollama-linux-amd64-mlx.
Fix: Install that archive of the same release beside the base archive, or use a GGUF build of the model.
Fix safety: restart.
References: Ollama x/mlxrunner; release assets.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(
    r"requires MLX support", r"MLX runtime is not available", r"mlx[^\n]{0,40}(?:not (?:found|installed|available))"
)


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("the model needs the MLX runtime, which is not installed", line) if line else None


RULE = Rule(
    id="SW-051",
    slug="mlx-runtime-missing",
    severity="warning",
    check=check,
    needs=(
        "log",
        "text",
    ),
    fires=("Error: this model requires MLX support, but the MLX runtime is not available",),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

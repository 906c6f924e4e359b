"""Ollama does not know where the model lies.

What it means: The runner's output about its buffers did not reach the server, which then takes the model's file size
  for its GPU memory.
Why it matters: ollama ps says 100 % GPU, wherever the model really is.
How it comes about: A wrapper around llama-server, a log setting of llama.cpp, or a runner of another version.
Fix: Compare with nvidia-smi (the runner's memory should be about the model's size). Remove what redirects the
  runner's output (LLAMA_ARG_LOG_FILE, wrappers), restart Ollama, load the model again.
Fix safety: restart.
References: Ollama llm/llama_server.go ("no per-device buffer sizes were parsed"); recorded with 0.33.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(r"no per-device buffer sizes were parsed[^\n]{0,120}", r"buffer sizes not available[^\n]{0,120}")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("where the model lies is not measured: 100 % GPU proves nothing", line) if line else None


RULE = Rule(
    id="CALL-011",
    slug="placement-not-measured",
    severity="warning",
    check=check,
    needs=("log",),
    fires=(
        'level=WARN source=llama_server.go:1500 msg="llama-server VRAM tracking: no per-device buffer sizes were parsed from llama-server logs. size_vram may be wrong" model=/m/sha256-1',
    ),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""A model takes longer to load than Ollama waits.

What it means: Nothing was heard from the runner for the time limit (five minutes by default), so the load was given
  up.
Why it matters: The model cannot be used, and each request tries again.
How it comes about: Slow storage, a model larger than main memory, or the first start of CUDA 13 libraries, whose code
  is compiled for the card then.
Fix: Raise OLLAMA_LOAD_TIMEOUT (such as 15m) for the service and restart it; put models on local fast storage; give
  the service's user a writable HOME, so that compiled code is kept.
Fix safety: restart.
References: Ollama llm/server.go and llm/llama_server.go; OLLAMA_LOAD_TIMEOUT.
"""

from __future__ import annotations

from ongpu.rules.action import Assign, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(r"timed out waiting for (?:llama runner|llama-server)(?![^\n]{0,40}context canceled)[^\n]{0,80}")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("a model took longer to load than Ollama waits", line) if line else None


RULE = Rule(
    id="ENV-018",
    slug="load-timeout",
    severity="warning",
    check=check,
    needs=(
        "log",
        "text",
    ),
    commands=(
        "sudo systemctl edit ollama   # [Service] Environment=OLLAMA_LOAD_TIMEOUT=15m",
        "sudo systemctl restart ollama",
    ),
    repair=always(Assign("OLLAMA_LOAD_TIMEOUT", "15m")),
    fires=(
        "Error: timed out waiting for llama runner to start - progress 1.00 - ",
        'level=ERROR msg="error loading llama server" error="timed out waiting for llama-server to start - "',
    ),
    quiet=(
        "load_tensors: offloaded 33/33 layers to GPU",
        'level=ERROR msg="error loading llama server" error="timed out waiting for llama runner to start: context canceled"',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

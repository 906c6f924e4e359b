"""A client gave up before its model was loaded.

What it means: The connection was closed while the model was loading, and the load was ended with it.
Why it matters: The model never becomes ready for such a client; each try begins anew.
How it comes about: A client or proxy with a time limit shorter than the load.
Fix: Raise the client's or proxy's time limit, or load the model beforehand (an empty prompt to /api/generate with a
  keep_alive).
Fix safety: safe.
References: Ollama llm/llama_server.go ("client connection closed before").
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(
    r"client connection closed before[^\n]{0,120}",
    r"timed out waiting for (?:llama runner|llama-server)[^\n]{0,40}context canceled",
)


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("a client gave up before its model was loaded", line) if line else None


RULE = Rule(
    id="CALL-016",
    slug="client-gave-up",
    severity="info",
    check=check,
    needs=("log",),
    fires=(
        'level=WARN source=llama_server.go:1320 msg="client connection closed before llama-server finished loading, aborting load"',
        'level=ERROR msg="error loading llama server" error="timed out waiting for llama runner to start: context canceled"',
    ),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

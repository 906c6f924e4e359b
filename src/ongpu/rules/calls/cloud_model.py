"""The model runs in the cloud, not on this machine.

What it means: Models whose tag ends in cloud are answered by ollama.com; nothing of them is on this GPU.
Why it matters: This machine's GPU stays idle for it, and it is not in ollama ps.
How it comes about: The name was taken from a list of recommended models.
Fix: Use a local model if this machine is to do the work; OLLAMA_NO_CLOUD=1 forbids the others.
Fix safety: safe.
References: Ollama docs/cloud.mdx.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(r"\b[\w./-]{2,80}:[\w.-]{0,30}cloud\b", r"\"remote_host\": ?\"https?://[^\"\n]{3,80}")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("a cloud model was called: nothing of it runs here", line) if line else None


RULE = Rule(
    id="CALL-015",
    slug="cloud-model",
    severity="info",
    check=check,
    needs=(
        "call",
        "ps",
        "text",
    ),
    fires=(
        "$ ollama run gpt-oss:120b-cloud",
        "qwen3-coder:480b-cloud    e30e45586389    -    5 weeks ago",
    ),
    quiet=("$ ollama run gpt-oss:20b",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

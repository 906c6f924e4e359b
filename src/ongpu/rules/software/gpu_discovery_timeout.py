"""The search for GPUs takes longer than its limit.

What it means: Ollama starts a helper that lists the GPUs and gives it 30 seconds; it was not done by then.
Why it matters: GPUs that were not found in time are not used until the next start.
How it comes about: GPUs that take long to wake (persistence mode off, many cards, LXC or passthrough), a busy host, or
  slow storage on the first start.
Fix: Enable nvidia-persistenced, restart Ollama; limit the search with OLLAMA_LLM_LIBRARY=cuda_v12 (or v13).
Fix safety: restart.
References: Ollama discover/runner.go and discover/llama_server.go (30 s); issue 17069.
"""

from __future__ import annotations

from ongpu.rules.action import EnableUnit, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(
    "failed to finish discovery before timeout", "GPU discovery watchdog timed out", r"discovery[^\n]{0,300}(?:context deadline exceeded|timed out)",
    "discovery: timed out waiting for server startup", r"failure during[^\n]{0,40}discovery[^\n]{0,300}deadline",
)  # fmt: skip
_SLOW = words(
    r"discovery took\"?[^\n]{0,20}duration=(?:[3-9]\d|\d{3,})(?:\.\d+)?s",
    r"discovery took\"?[^\n]{0,20}duration=\d+m\d",
)


def check(seen: Evidence) -> Hit | None:
    slow = seen.find(_SLOW)
    # A server that is told to stop in the middle of its search says the same, with `context canceled`.
    line = next((hit.line for hit in seen.all(_SAID) if "context canceled" not in hit.line.text), None)
    if line:
        return proven("the search for GPUs ran into its time limit of 30 s", line, slow)
    return likely("the search for GPUs took 30 s or more, its limit", slow) if slow else None


RULE = Rule(
    id="SW-031",
    slug="gpu-discovery-timeout",
    severity="critical",
    check=check,
    needs=("log",),
    explains=("install-incomplete",),
    commands=("sudo systemctl enable --now nvidia-persistenced", "sudo systemctl restart ollama"),
    repair=always(EnableUnit("nvidia-persistenced.service"), Restart()),
    fires=(
        'level=WARN source=llama_server.go msg="llama-server GPU discovery watchdog timed out"',
        'level=INFO source=runner.go:464 msg="failure during GPU discovery" OLLAMA_LIBRARY_PATH="[/usr/lib/ollama]" extra_envs=[] error="failed to finish discovery before timeout"',
    ),
    quiet=('level=DEBUG source=runner.go:42 msg="GPU bootstrap discovery took" duration=2.1s',),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""A runner that no server owns holds GPU memory.

What it means: A llama-server (or ollama runner) process is left over from a server that was killed.
Why it matters: Its model stays in GPU memory, and nobody can use or unload it; other models have less room.
How it comes about: kill -9 or a crash of a server that runs outside of systemd.
Fix: End it by its process id, then load the model again. If it does not go, sudo kill -9.
Fix safety: manual; ends a process.
References: Measured: SIGHUP and SIGKILL of ollama serve leave llama-server running.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Fill, Hit, Rule, proven

_SAID = words(r"runner \d+ is not a child of the service[^\n]{0,120}")  # a snapshot's own words


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("a runner that no server owns holds GPU memory", line) if line else None


RULE = Rule(
    id="ENV-020",
    slug="orphan-runner",
    severity="warning",
    check=check,
    needs=(
        "log",
        "system",
    ),
    explains=("vram-used-by-other-process",),
    commands=("sudo kill PID",),
    fills=(Fill("PID", words(r"^runner (\d{1,9}) is not a child"), " "),),
    fires=("runner 4711 is not a child of the service (llama-server, /m/sha256-1)",),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

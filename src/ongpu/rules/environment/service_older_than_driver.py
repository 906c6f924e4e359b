"""Ollama started before the driver was ready and was not restarted.

What it means: Ollama looks for GPUs once, at its start; the driver works now and did not then.
Why it matters: The server keeps running on the CPU although nvidia-smi is fine.
How it comes about: The service started before the modules at boot, or the driver was installed or upgraded under it.
Fix: sudo systemctl restart ollama. For good, order the service after nvidia-persistenced.service.
Fix safety: restart.
References: Ollama discover/runner.go (discovery at start).
"""

from __future__ import annotations

from ongpu.rules.action import Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus, placement, places
from ongpu.rules.rule import Hit, Rule, possible, proven

_STALE = words(r"ollama started before the GPU driver[^\n]{0,120}")
_TOLD = words(
    r"(?:works?|fine|ok|gpu)[^\n]{0,60}after (?:a |I )?restart(?:ing)?[^\n]{0,30}\bollama\b",
    r"systemctl restart ollama[^\n]{0,60}(?:fix|help|work|solv)",
)


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_STALE):
        return proven("Ollama started before the GPU driver was ready", line)
    told = seen.told(_TOLD)
    if told and not places.slept(seen):
        return proven("Ollama finds the GPU after a restart only", told)
    nothing, listed = placement.none_found(seen), gpus.names(seen)
    if nothing and listed and not placement.gpu_seen(seen) and not places.container(seen):
        return possible("nvidia-smi shows a GPU, and Ollama found none when it started", nothing, listed[0][1])
    return None


RULE = Rule(
    id="ENV-011",
    slug="service-older-than-driver",
    severity="critical",
    check=check,
    needs=("system", "text", "prose"),
    explains=("nvidia-uvm-not-loaded", "install-incomplete"),
    commands=("sudo systemctl restart ollama",),
    repair=always(Restart()),
    fires=("ollama started before the GPU driver: no GPU in its log, one in nvidia-smi",),
    quiet=("Active: active (running) since Mon 2025-01-13 10:00:00 UTC; 2 days ago",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

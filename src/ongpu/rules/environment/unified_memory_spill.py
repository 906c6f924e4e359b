"""A variable lets GPU memory spill into main memory unseen.

What it means: With this variable, what Ollama counts as GPU memory may lie in main memory.
Why it matters: ollama ps says 100 % GPU, and tokens come as slowly as from the CPU when the memory does not suffice.
How it comes about: GGML_CUDA_ENABLE_UNIFIED_MEMORY (meant for machines whose CPU and GPU share memory), or a similar
  variable of the Vulkan backend.
Fix: Remove it from where it is set (systemctl cat ollama; /etc/environment), restart Ollama; load fewer or smaller
  models instead.
Fix safety: restart.
References: ggml-cuda and ggml-vulkan; measured: GGML_VK_PREFER_HOST_MEMORY=1 is in no line of the log.
"""

from __future__ import annotations

from ongpu.rules.action import Unset, always
from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import settings
from ongpu.rules.rule import Hit, Rule, proven

_NAMES = ("GGML_CUDA_ENABLE_UNIFIED_MEMORY", "GGML_VK_PREFER_HOST_MEMORY")
_OFF = ("", "0")  # for the CUDA variable any value counts as set; a 0 is at least meant as off


def check(seen: Evidence) -> Hit | None:
    environment = settings.environment(seen)
    setting = next((environment[name] for name in _NAMES if name in environment), None)
    if setting is None or setting.value in _OFF:
        return None
    return proven("a variable lets GPU memory spill into main memory unseen", setting.line)


RULE = Rule(
    id="ENV-016",
    slug="unified-memory-spill",
    severity="warning",
    check=check,
    needs=("env",),
    explains=("hidden-cpu-work",),
    repair=always(Unset(_NAMES)),
    fires=(
        "GGML_CUDA_ENABLE_UNIFIED_MEMORY=1",
        'Environment="GGML_VK_PREFER_HOST_MEMORY=1"',
    ),
    quiet=("GGML_CUDA_FORCE_MMQ=1",),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

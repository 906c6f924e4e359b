"""Vulkan uses a GPU that CUDA was not to use, or took over from CUDA.

What it means: Ollama lists a device of its Vulkan backend on a machine with NVIDIA cards.
Why it matters: Models land on cards that CUDA_VISIBLE_DEVICES hides, or run slower than with CUDA, while ollama ps
  says 100 % GPU.
How it comes about: CUDA_VISIBLE_DEVICES does not bind Vulkan, which is on by default since 0.30; or CUDA was rejected.
Fix: Set OLLAMA_VULKAN=0 for the service (or GGML_VK_VISIBLE_DEVICES) and restart it; if CUDA is not listed, look for
  the reason.
Fix safety: restart.
References: Ollama discover/vulkan.go, discover/runner.go.
"""

from __future__ import annotations

from ongpu.rules.action import Action, Assign, Unset
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import settings
from ongpu.rules.rule import Hit, Rule, likely, proven

_VULKAN = words(
    r"inference compute[^\n]{0,300}library=\"?vulkan[^\n]{0,200}", r"Vulkan\d model buffer size", "using device Vulkan"
)
_CUDA = words(r"inference compute[^\n]{0,300}library=\"?cuda", r"CUDA\d model buffer size", r"using device CUDA\d")
_NVIDIA = words("NVIDIA|GeForce|Tesla|Quadro|RTX")


def check(seen: Evidence) -> Hit | None:
    vulkan = seen.find(_VULKAN)
    if vulkan is None:
        return None
    hidden = settings.environment(seen).get("CUDA_VISIBLE_DEVICES")
    if hidden:
        return proven("Vulkan uses a GPU that CUDA_VISIBLE_DEVICES hides", vulkan, hidden.line)
    if seen.find(_CUDA):
        return likely("Ollama uses a GPU through Vulkan beside CUDA", vulkan)
    return likely("Vulkan took over from CUDA", vulkan) if seen.find(_NVIDIA) else None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    library = settings.environment(seen).get("OLLAMA_LLM_LIBRARY")
    forced = library is not None and library.value == "vulkan"
    return (*((Unset(("OLLAMA_LLM_LIBRARY",)),) if forced else ()), Assign("OLLAMA_VULKAN", "0"))


RULE = Rule(
    id="SW-030",
    slug="vulkan-uses-hidden-gpu",
    severity="warning",
    check=check,
    needs=("log",),
    explains=("cuda-visible-devices-hides-gpu",),
    repair=_repair,
    fires=(
        'Environment="CUDA_VISIBLE_DEVICES=0,1"\nlevel=INFO msg="inference compute" id=1 library=Vulkan name=Vulkan2',
    ),
    quiet=(
        'level=INFO source=runner.go:106 msg="experimental Vulkan support disabled.  To enable, set OLLAMA_VULKAN=1"',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

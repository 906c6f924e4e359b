"""Flash attention is off, so the cache and buffers are larger.

What it means: Without flash attention the cache cannot be quantised and the buffers for a long context are much
  larger.
Why it matters: Less of the model fits on the GPU.
How it comes about: OLLAMA_FLASH_ATTENTION=0, or a card of compute capability 5.x.
Fix: Remove OLLAMA_FLASH_ATTENTION=0 for the service and restart it.
Fix safety: restart.
References: Ollama ml/device.go (flash attention by device).
"""

from __future__ import annotations

from ongpu.rules.action import Unset, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement, settings
from ongpu.rules.rule import Hit, Rule, proven

_OFF = ("0", "false", "f")
_ASKED = words(r"--flash-attn off\b")


def check(seen: Evidence) -> Hit | None:
    part = placement.not_on_gpu(seen)
    if part is None:
        return None
    setting = settings.environment(seen).get("OLLAMA_FLASH_ATTENTION")
    asked = setting.line if setting and setting.is_explicit and setting.value.lower() in _OFF else seen.find(_ASKED)
    return proven("flash attention is off, and the model does not fit", asked, part) if asked else None


RULE = Rule(
    id="CALL-014",
    slug="flash-attention-off",
    severity="info",
    check=check,
    needs=(
        "env",
        "log",
    ),
    repair=always(Unset(("OLLAMA_FLASH_ATTENTION",))),
    fires=("OLLAMA_FLASH_ATTENTION=0\nload_tensors: offloaded 28/33 layers to GPU",),
    quiet=("OLLAMA_FLASH_ATTENTION=1\nload_tensors: offloaded 28/33 layers to GPU",),
    unknown=("docker run ollama/ollama",),
)

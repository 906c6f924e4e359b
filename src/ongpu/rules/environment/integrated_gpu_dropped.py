"""Ollama leaves an integrated GPU out.

What it means: The device shares the CPU's memory, and Ollama does not use it with the present setting.
Why it matters: Where it is the only GPU, models run on the CPU. OLLAMA_IGPU_ENABLE=0 drops Jetson and GB10 too, which
  count as integrated.
How it comes about: The default for Vulkan and most AMD devices, or OLLAMA_IGPU_ENABLE=0.
Fix: Set OLLAMA_IGPU_ENABLE=1 for the service if this device is to be used (on Jetson and GB10: remove
  OLLAMA_IGPU_ENABLE=0), restart Ollama. Beside a discrete GPU leave it as it is.
Fix safety: restart.
References: Ollama discover/runner.go ("dropping integrated GPU").
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement, settings
from ongpu.rules.rule import Hit, Rule, likely, proven

_DROPPED = words(r"dropping integrated GPU[^\n]{0,300}")
_NO = ("0", "false", "f")
_INTEGRATED = words(r"\bGB10\b", r"\bOrin\b", r"\bXavier\b", r"\bThor\b", r"DGX Spark")


def check(seen: Evidence) -> Hit | None:
    nothing = placement.none_found(seen)
    if nothing is None:
        return None
    if dropped := seen.find(_DROPPED):
        return proven("the only GPU is an integrated one, and Ollama leaves it out", dropped, nothing)
    setting = settings.environment(seen).get("OLLAMA_IGPU_ENABLE")
    if setting and setting.value.lower() in _NO and (device := seen.told(_INTEGRATED)):
        return likely("OLLAMA_IGPU_ENABLE=0 leaves this machine's GPU out", setting.line, device)
    return None


RULE = Rule(
    id="ENV-017",
    slug="integrated-gpu-dropped",
    severity="warning",
    check=check,
    needs=("log",),
    fires=(
        'level=INFO source=runner.go:240 msg="dropping integrated GPU; to enable, set OLLAMA_IGPU_ENABLE=1" id=0 library=Vulkan description="Intel(R) Arc(tm) Graphics"\nlevel=INFO msg="inference compute" id=cpu library=cpu',
    ),
    quiet=(
        'level=INFO source=runner.go:240 msg="dropping integrated GPU; to enable, set OLLAMA_IGPU_ENABLE=1" id=1 library=Vulkan\nlevel=INFO msg="inference compute" id=0 library=CUDA description="NVIDIA GeForce RTX 4060"',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

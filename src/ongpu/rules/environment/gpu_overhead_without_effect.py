"""OLLAMA_GPU_OVERHEAD does not reserve memory any more.

What it means: Since 0.30 this variable has no effect on where layers of GGUF models lie. Above the card's size it
  even makes the server compute a wrong, very large default context.
Why it matters: Who relies on it for another program's memory does not get that memory.
How it comes about: A setting from an older release.
Fix: Remove it. To keep memory free on each GPU set LLAMA_ARG_FIT_TARGET (MiB); restart Ollama.
Fix safety: restart.
References: Measured with Ollama 0.33 (1.9 of 2 GiB reserved: every layer still on the GPU); server/routes.go.
"""

from __future__ import annotations

from ongpu.rules.action import Unset, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus, settings
from ongpu.rules.rule import Hit, Rule, proven

_UNDERFLOW = words(r"total_vram=\"\d{8,20}(?:\.\d+)? GiB\"")
_LLAMA_SERVER = words(r"starting llama-server", r"/llama-server --model")


def check(seen: Evidence) -> Hit | None:
    setting = settings.environment(seen).get("OLLAMA_GPU_OVERHEAD")
    if line := seen.find(_UNDERFLOW):
        return proven("OLLAMA_GPU_OVERHEAD is larger than the GPU, and the default context is computed wrongly", line)
    if setting is None or not setting.value.isdecimal() or int(setting.value) == 0:
        return None
    version = gpus.ollama_version(seen)
    if (version and version >= (0, 30, 0)) or seen.find(_LLAMA_SERVER):
        return proven(f"OLLAMA_GPU_OVERHEAD={setting.value} has no effect in this release", setting.line)
    return None


RULE = Rule(
    id="ENV-014",
    slug="gpu-overhead-without-effect",
    severity="info",
    check=check,
    needs=(
        "env",
        "log",
    ),
    repair=always(Unset(("OLLAMA_GPU_OVERHEAD",))),
    fires=("OLLAMA_GPU_OVERHEAD=2147483648\nollama version is 0.31.1",),
    quiet=(
        "OLLAMA_GPU_OVERHEAD=2147483648\nollama version is 0.12.3",
        "OLLAMA_GPU_OVERHEAD=0\nollama version is 0.31.1",
    ),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

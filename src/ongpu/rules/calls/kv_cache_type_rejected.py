"""The cache type that is set makes every load fail.

What it means: OLLAMA_KV_CACHE_TYPE is not a type that the runner knows, or it is a quantised one and flash attention
  is off.
Why it matters: No model loads: every request ends with error 500.
How it comes about: A typing error, or a setting that releases before 0.30 ignored. OLLAMA_FLASH_ATTENTION=0, or a
  card of compute capability 5.x, switches flash attention off.
Fix: Set OLLAMA_KV_CACHE_TYPE to f16, q8_0 or q4_0, and for the quantised ones remove OLLAMA_FLASH_ATTENTION=0;
  restart Ollama.
Fix safety: restart.
References: Recorded with Ollama 0.33 (`foo`, and q8_0 with flash attention off); llama.cpp common/arg.cpp.
"""

from __future__ import annotations

from ongpu.rules.action import Action, Unset
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus, settings
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(
    r"quantized V cache (?:was requested, but this requires Flash Attention|requires flash_attn)", r"V cache quantization requires flash_attn",
    r"Unsupported cache type", r"invalid (?:value|argument)[^\n]{0,40}--cache-type-[kv]",
)  # fmt: skip
_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
_FAILED = words(
    r"llama-server process has terminated", r"error loading llama server", r"llama-server terminated", r"Load failed"
)
_OFF = ("0", "false", "f")


def check(seen: Evidence) -> Hit | None:
    environment = settings.environment(seen)
    kind = environment.get("OLLAMA_KV_CACHE_TYPE")
    if line := seen.find(_SAID):
        return proven("the cache type that is set makes loads fail", line, kind.line if kind else None)
    if kind is None or not kind.value:
        return None
    failed, version = seen.find(_FAILED), gpus.ollama_version(seen)
    modern = version is None or version >= (0, 30, 0)
    if kind.value.lower() not in _TYPES and modern and (failed or version):
        return proven(f"OLLAMA_KV_CACHE_TYPE={kind.value} is not a type that the runner knows", kind.line, failed)
    flash = environment.get("OLLAMA_FLASH_ATTENTION")
    if kind.value.lower().startswith(("q", "iq")) and flash and flash.value.lower() in _OFF and failed and modern:
        return likely("a quantised cache needs flash attention, which is off: loads fail", kind.line, failed)
    return None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    """A type that no runner knows goes; with a known one it is flash attention that has to come back."""
    kind = settings.environment(seen).get("OLLAMA_KV_CACHE_TYPE")
    known = kind is not None and kind.value.lower() in _TYPES
    return (Unset(("OLLAMA_FLASH_ATTENTION" if known else "OLLAMA_KV_CACHE_TYPE",)),)


RULE = Rule(
    id="CALL-010",
    slug="kv-cache-type-rejected",
    severity="critical",
    check=check,
    needs=(
        "env",
        "log",
    ),
    commands=(
        "sudo systemctl edit ollama   # [Service] Environment=OLLAMA_KV_CACHE_TYPE=q8_0",
        "sudo systemctl restart ollama",
    ),
    repair=_repair,
    fires=(
        "llama_init_from_model: quantized V cache was requested, but this requires Flash Attention",
        "OLLAMA_KV_CACHE_TYPE=q8\nollama version is 0.31.1",
        'OLLAMA_KV_CACHE_TYPE=q8_0\nOLLAMA_FLASH_ATTENTION=0\nlevel=ERROR msg="error loading llama server" error="llama-server process has terminated: exit status 1"',
    ),
    quiet=("OLLAMA_KV_CACHE_TYPE=q8_0\nollama version is 0.31.1",),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

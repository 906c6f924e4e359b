"""A variable of llama.cpp moves work to the CPU.

What it means: The runner inherits LLAMA_ARG_… or GGML_… variables that keep weights, cache or experts off the GPU.
Why it matters: Part of the model runs on the CPU, and ollama ps may still say 100 % GPU.
How it comes about: Variables for another llama.cpp program in /etc/environment, a drop-in or an image.
Fix: Remove the variable from where it is set (systemctl cat ollama; /etc/environment) and restart Ollama.
Fix safety: restart.
References: llama.cpp common/arg.cpp; experiments in Ollama 0.33 with LLAMA_ARG_N_CPU_MOE.
"""

from __future__ import annotations

from ongpu.rules.action import Action, Unset
from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import settings
from ongpu.rules.rule import Hit, Rule, proven

_OFF = ("0", "false", "off", "no", "disabled")


def check(seen: Evidence) -> Hit | None:
    for name, setting in settings.environment(seen).items():
        if _moves(name, setting.value.lower()):
            return proven(f"{name}={setting.value} keeps work on the CPU", setting.line)
    return None


def _moves(name: str, value: str) -> bool:
    if name in ("LLAMA_ARG_CPU_MOE", "LLAMA_ARG_NO_KV_OFFLOAD", "LLAMA_ARG_NO_OP_OFFLOAD"):
        return value not in _OFF
    if name in ("LLAMA_ARG_N_CPU_MOE", "LLAMA_ARG_OVERRIDE_TENSOR"):
        return value not in ("", "0") and (name.endswith("MOE") or "cpu" in value)
    if name == "LLAMA_ARG_N_GPU_LAYERS":
        return value.isdecimal() and int(value) < 20
    return name in ("LLAMA_ARG_DEVICE", "LLAMA_ARG_KV_OFFLOAD") and value in ("none", *_OFF)


def _repair(seen: Evidence) -> tuple[Action, ...]:
    moving = tuple(name for name, setting in settings.environment(seen).items() if _moves(name, setting.value.lower()))
    return (Unset(moving),) if moving else ()


RULE = Rule(
    id="ENV-012",
    slug="llama-arg-override",
    severity="critical",
    check=check,
    needs=("env",),
    explains=(
        "hidden-cpu-work",
        "num-gpu-override",
        "context-too-large",
        "num-parallel-too-high",
        "moe-overflow",
        "draft-model",
        "model-slightly-too-large",
        "model-too-large",
    ),
    repair=_repair,
    fires=("LLAMA_ARG_N_CPU_MOE=99", 'Environment="LLAMA_ARG_DEVICE=none"', "LLAMA_ARG_CPU_MOE=1"),
    quiet=("LLAMA_ARG_FIT_TARGET=512", "LLAMA_ARG_N_CPU_MOE=0"),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

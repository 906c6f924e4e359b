"""LLAMA_ARG_FIT_TARGET keeps much of the GPU free.

What it means: The runner leaves this many MiB free on each GPU and puts fewer layers there (1024 without the
  variable).
Why it matters: Layers run on the CPU although memory is free.
How it comes about: Somebody reserved memory for another program, or for a vision model's projector.
Fix: Lower LLAMA_ARG_FIT_TARGET for the service (512 is often enough), or remove it; restart Ollama.
Fix safety: restart.
References: llama.cpp common/fit.cpp; measured with Ollama 0.33: 1500 of 2048 MiB left 14 of 25 layers on the GPU.
"""

from __future__ import annotations

from ongpu.rules.action import Unset, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement, settings
from ongpu.rules.rule import Hit, Rule, likely, proven

_USUAL = 1024  # MiB, llama.cpp's own default
_CANNOT = words(r"cannot meet free memory target of (\d{1,7}) MiB")
_OVERFLOW = words(r"\([ ]*[1-9]\d{0,3} overflowing\)")


def check(seen: Evidence) -> Hit | None:
    setting = settings.environment(seen).get("LLAMA_ARG_FIT_TARGET")
    wanted = (
        max((int(part) for part in setting.value.split(",") if part.strip().isdecimal()), default=0) if setting else 0
    )
    if setting is None or wanted <= _USUAL:
        return None
    cannot = next((hit.line for hit in seen.all(_CANNOT) if int(hit.match[1]) > _USUAL), None)
    symptom = cannot or placement.not_on_gpu(seen) or placement.no_gpu(seen) or seen.find(_OVERFLOW)
    if symptom is None:
        return None
    make = proven if cannot else likely
    return make(f"LLAMA_ARG_FIT_TARGET={setting.value} keeps {wanted} MiB of each GPU free", setting.line, symptom)


RULE = Rule(
    id="ENV-013",
    slug="fit-target-too-large",
    severity="warning",
    check=check,
    needs=("env",),
    explains=(
        "model-slightly-too-large",
        "model-too-large",
        "output-layer-too-large",
        "vram-below-minimum",
        "context-too-large",
        "moe-overflow",
        "hidden-cpu-work",
        "default-context-tiered",
    ),
    commands=(
        "sudo systemctl edit ollama   # [Service] Environment=LLAMA_ARG_FIT_TARGET=512",
        "sudo systemctl restart ollama",
    ),
    repair=always(Unset(("LLAMA_ARG_FIT_TARGET",))),
    fires=(
        "LLAMA_ARG_FIT_TARGET=4096\ncommon_params_fit_impl: cannot meet free memory target of 4096 MiB, need to reduce device memory by 2100 MiB\nload_tensors: offloaded 20/33 layers to GPU",
    ),
    quiet=(
        "LLAMA_ARG_FIT_TARGET=4096\nload_tensors: offloaded 33/33 layers to GPU",
        "LLAMA_ARG_FIT_TARGET=512\nload_tensors: offloaded 20/33 layers to GPU",
    ),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

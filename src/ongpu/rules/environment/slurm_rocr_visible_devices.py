"""The batch scheduler sets AMD's device variables on an NVIDIA machine.

What it means: Slurm exports ROCR_VISIBLE_DEVICES (or GPU_DEVICE_ORDINAL) for every kind of GPU, and Ollama then takes
  the machine for an AMD one.
Why it matters: The runner skips CUDA and computes on the CPU, although the GPU was found.
How it comes about: A Slurm job on NVIDIA nodes with Ollama 0.9.3 to 0.11.
Fix: unset ROCR_VISIBLE_DEVICES GPU_DEVICE_ORDINAL HIP_VISIBLE_DEVICES before ollama serve in the job script, or upgrade
  Ollama.
Fix safety: restart.
References: Ollama llm/server.go of 0.9.3 to 0.11; Slurm gres/gpu.
"""

from __future__ import annotations

from ongpu.rules.action import Action, Unset
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement, places, settings
from ongpu.rules.rule import Hit, Rule, likely, possible, proven

_VARIABLES = ("ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "HIP_VISIBLE_DEVICES")
_SLURM = words(r"\bslurm\w*", r"\bsbatch\b", r"\bsrun\b", r"\bsalloc\b", r"SLURM_\w+", r"\bHPC\b")
_UNSET = words(r"\bunset (?:\w+ )?ROCR_VISIBLE_DEVICES")
_CUDA = words("loaded CUDA backend", r"CUDA\.0\.", r"CUDA\d model buffer size")
_EMPTY = words(r"compatible=\[\]", "loaded CPU backend")


def check(seen: Evidence) -> Hit | None:
    environment = settings.environment(seen)
    named = next((environment[name] for name in _VARIABLES if name in environment and environment[name].value), None)
    slurm, cpu = seen.told(_SLURM), seen.find(_EMPTY) or placement.no_gpu(seen)
    if named and not places.amd(seen):
        make = proven if slurm or cpu or "CUDA_VISIBLE_DEVICES" in environment else likely
        return make("AMD's device variables are set on an NVIDIA machine, so Ollama skips CUDA", named.line, cpu, slurm)
    if (unset := seen.told(_UNSET)) and not places.amd(seen):
        return likely("AMD's device variable is set on an NVIDIA machine, so Ollama skips CUDA", unset, cpu, slurm)
    if slurm and placement.gpu_seen(seen) and (backend := seen.find(_EMPTY)) and not seen.find(_CUDA):
        return likely("in a Slurm job the GPU was found and only the CPU backend was loaded", slurm, backend)
    return possible("a Slurm job whose Ollama runs on the CPU", slurm, cpu) if slurm and cpu else None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    there = tuple(name for name in _VARIABLES if name in settings.environment(seen))
    return (Unset(there),) if there else ()


RULE = Rule(
    id="ENV-001",
    slug="slurm-rocr-visible-devices",
    severity="critical",
    check=check,
    needs=("env", "log"),
    explains=("install-incomplete", "distro-package-no-cuda"),
    commands=("unset ROCR_VISIBLE_DEVICES GPU_DEVICE_ORDINAL HIP_VISIBLE_DEVICES",),
    repair=_repair,
    fires=(
        "ROCR_VISIBLE_DEVICES=0",
        'level=INFO source=routes.go:1238 msg="server config" env="map[CUDA_VISIBLE_DEVICES:0 GPU_DEVICE_ORDINAL:0 OLLAMA_DEBUG:DEBUG ROCR_VISIBLE_DEVICES:0]"',
    ),
    quiet=(
        'level=INFO source=routes.go:1238 msg="server config" env="map[CUDA_VISIBLE_DEVICES: GPU_DEVICE_ORDINAL: OLLAMA_DEBUG:INFO ROCR_VISIBLE_DEVICES:]"',
    ),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

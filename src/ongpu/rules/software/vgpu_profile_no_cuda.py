"""The virtual GPU's profile has no CUDA.

What it means: The vGPU is of an A profile (virtual applications), which does not run compute programs.
Why it matters: nvidia-smi shows the card, and no program can compute on it.
How it comes about: The hypervisor assigned an A profile (or an old B profile) instead of Q or C.
Fix: Assign a Q or C profile to the virtual machine and restart it.
Fix safety: manual; at the hypervisor.
References: NVIDIA virtual GPU user guide (CUDA support by vGPU type).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus
from ongpu.rules.rule import Hit, Rule, likely, proven

_PROFILE = words(r"-\d{1,3}A\b")


def check(seen: Evidence) -> Hit | None:
    found = next(((name, line) for name, line in gpus.names(seen) if _PROFILE.search(name)), None)
    prohibited = next((row.line for row in gpus.smi_rows(seen) if row.compute_mode.lower() == "prohibited"), None)
    if found:
        make = proven if prohibited else likely
        return make(f"{found[0]} is a vGPU profile without CUDA", found[1], prohibited)
    return None


RULE = Rule(
    id="SW-018",
    slug="vgpu-profile-no-cuda",
    severity="critical",
    check=check,
    needs=("smi",),
    explains=("gpu-busy-or-exclusive", "vgpu-unlicensed"),
    fires=("GPU 0: NVIDIA RTXA6000-48A (UUID: GPU-00000001-aaaa-bbbb-cccc-000000000001)",),
    quiet=("GPU 0: NVIDIA L40S-24Q (UUID: GPU-00000001-aaaa-bbbb-cccc-000000000001)",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

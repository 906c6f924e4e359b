"""Ollama took its CUDA 13 library for a GPU that only CUDA 12 supports.

What it means: The GPU is older than Turing (compute capability below 7.5), for which CUDA 13 has no code.
Why it matters: The first computation fails with "no kernel image", or the model falls to the CPU.
How it comes about: Releases around 0.11.11 to 0.12.x choose the directory by the driver alone.
Fix: Set OLLAMA_LLM_LIBRARY=cuda_v12 for the service and restart it, or upgrade Ollama.
Fix safety: restart.
References: Ollama discover/runner.go (filterOverlapByLibrary); CUDA 13 release notes.
"""

from __future__ import annotations

from ongpu.rules.action import Assign, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, gpus
from ongpu.rules.rule import Hit, Rule, likely

_V13 = words(r"\bcuda_v13\b", r"variant=v13")
_V12 = words(r"libdirs=\S*cuda_v12", r"loaded CUDA backend[^\n]{0,120}cuda_v12")
_BROKEN = words("no kernel image", "architectural feature absent", "runner[^\n]{0,40}terminated", "CUDA error")


def check(seen: Evidence) -> Hit | None:
    v13, failed = seen.find(_V13), seen.find(_BROKEN) or codes.cuda_codes(seen).get(209)
    old = next(((value, line) for value, line in gpus.capabilities(seen) if value < 7.5), None)
    if v13 and failed and old and not seen.find(_V12):
        return likely(f"cuda_v13 was taken for a GPU of compute capability {old[0]}", v13, old[1], failed)
    return None


RULE = Rule(
    id="SW-023",
    slug="cuda-v13-picked-for-old-gpu",
    severity="critical",
    check=check,
    needs=("log",),
    explains=("cuda-arch-not-in-build", "driver-too-old", "compute-capability-unsupported"),
    commands=(
        "sudo systemctl edit ollama   # [Service] Environment=OLLAMA_LLM_LIBRARY=cuda_v12",
        "sudo systemctl restart ollama",
    ),
    repair=always(Assign("OLLAMA_LLM_LIBRARY", "cuda_v12")),
    fires=(
        'msg="inference compute" library=CUDA compute=6.1 name=CUDA0 libdirs=ollama,cuda_v13\nCUDA error: no kernel image is available for execution on the device',
    ),
    quiet=('msg="inference compute" library=CUDA compute=8.6 name=CUDA0 libdirs=ollama,cuda_v13',),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""A stub libcuda is found instead of the driver's.

What it means: The loader takes the stub library of a CUDA toolkit, which only serves to link programs.
Why it matters: CUDA cannot start; models run on the CPU.
How it comes about: A stubs directory on LD_LIBRARY_PATH or in ld.so.conf, or an image built against it.
Fix: Take every path that ends in /stubs from LD_LIBRARY_PATH and /etc/ld.so.conf.d, run ldconfig, restart Ollama.
Fix safety: restart.
References: CUDA error 34 (cudaErrorStubLibrary).
"""

from __future__ import annotations

from ongpu.rules.action import Action, Unset
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, settings
from ongpu.rules.rule import Hit, Rule, likely, proven

_PATH = words(r"/stubs/lib(?:cuda|nvidia-ml)\.so", r"LD_LIBRARY_PATH[=:][^\n]{0,300}/stubs\b", r"/lib(?:64)?/stubs\b")


def check(seen: Evidence) -> Hit | None:
    path = seen.find(_PATH)
    if line := codes.cuda_codes(seen).get(34):
        return proven("a stub libcuda is loaded instead of the driver's", line, path)
    failed = codes.nvml_codes(seen).get(9) or next(iter(codes.cuda_codes(seen).values()), None)
    make = proven if failed else likely
    return make("a stub library stands in the way of the driver's own", path, failed) if path else None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    """The loader's own directories are other people's files: only the variable is ours to take away."""
    path = settings.environment(seen).get("LD_LIBRARY_PATH")
    return (Unset(("LD_LIBRARY_PATH",)),) if path and "/stubs" in path.value else ()


RULE = Rule(
    id="SW-019",
    slug="cuda-stub-library",
    severity="critical",
    check=check,
    needs=("log", "env"),
    explains=("driver-too-old", "driver-not-running", "nvidia-uvm-not-loaded", "wrong-libcuda-picked"),
    repair=_repair,
    fires=(
        "ggml_cuda_init: failed to initialize CUDA: CUDA driver is a stub library",
        "cuInit err: 34",
        "LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs",
    ),
    quiet=("LD_LIBRARY_PATH=/usr/local/cuda/lib64",),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

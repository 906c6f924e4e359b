"""On a Jetson, CUDA is newer than its JetPack.

What it means: The CUDA toolkit was upgraded past what the JetPack's driver supports.
Why it matters: The model loads and its first computation fails in cuBLAS.
How it comes about: CUDA 12 installed on JetPack 5, or a container with another CUDA than the JetPack's.
Fix: Use the JetPack's own CUDA (11.4 on JetPack 5, 12.6 on JetPack 6), or upgrade the JetPack.
Fix safety: manual.
References: NVIDIA JetPack release notes; cuBLAS status codes.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import places
from ongpu.rules.rule import Hit, Rule, likely

_CUBLAS = words(
    r"CUBLAS_STATUS_(?:EXECUTION_FAILED|NOT_INITIALIZED|ARCH_MISMATCH|NOT_SUPPORTED|INTERNAL_ERROR)",
    r"cublas\w* error \d+",
    r"cublas(?:Create|SetStream|Gemm|SetMathMode)\w*\(",
)


def check(seen: Evidence) -> Hit | None:
    line, jetson = seen.find(_CUBLAS), places.jetson(seen)
    return likely("cuBLAS fails on a Jetson: its CUDA is not the JetPack's", line, jetson) if line and jetson else None


RULE = Rule(
    id="SW-034",
    slug="jetson-wrong-cuda",
    severity="critical",
    check=check,
    needs=("log",),
    explains=("jetson-wrong-runtime",),
    fires=("JetPack 5, CUDA 12.2\nCUDA error: CUBLAS_STATUS_EXECUTION_FAILED",),
    quiet=("JetPack 5, CUDA 11.4\nload_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

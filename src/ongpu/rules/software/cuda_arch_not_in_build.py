"""The CUDA backend has no code for this GPU.

What it means: This build of Ollama's CUDA library was not compiled for the GPU's architecture.
Why it matters: The GPU is skipped, or the first computation on it fails.
How it comes about: A distribution's package built for newer cards only (CUDA 13 dropped those before Turing), a source
  build with few architectures, or a card newer than the release.
Fix: Use Ollama's own release instead of the distribution's package, rebuild for the card's architecture, or upgrade
  Ollama for a new card.
Fix safety: restart.
References: CUDA error 209 (cudaErrorNoKernelImageForDevice); Ollama llama/server/CMakePresets.json.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, gpus
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(
    "requires an architectural feature absent from the device", "compute capability not in compiled architectures",
    r"skipping CUDA device", r"no (?:device|kernel)[^\n]{0,30}code[^\n]{0,40}(?:sm_|arch)", r"ERROR: CUDA kernel \w+ has no device code compatible",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID) or codes.cuda_codes(seen).get(209)
    if line is None:
        return None
    capability = next((value for value, _ in gpus.capabilities(seen)), None)
    which = f" (compute capability {capability})" if capability else ""
    return proven(f"Ollama's CUDA library has no code for this GPU{which}", line)


RULE = Rule(
    id="SW-022",
    slug="cuda-arch-not-in-build",
    severity="critical",
    check=check,
    needs=("log",),
    fires=(
        "CUDA error: no kernel image is available for execution on the device",
        'level=INFO source=llama_server.go msg="skipping CUDA device — compute capability not in compiled architectures" device=CUDA0 cc=610 archs="[750 800]"',
        "CUDA error: the function requires an architectural feature absent from the device",
    ),
    quiet=("ggml_cuda_init: found 1 CUDA devices:",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

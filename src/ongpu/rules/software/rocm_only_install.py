"""Only Ollama's libraries for AMD are installed.

What it means: lib/ollama holds the ROCm backend and no CUDA backend, on a machine with an NVIDIA GPU.
Why it matters: The NVIDIA GPU is not used.
How it comes about: The installation script takes the AMD archive when it sees an AMD device and no nvidia-smi; or the
  image ollama:rocm.
Fix: Install Ollama's base archive of the same release beside it (it has cuda_v12 and cuda_v13), or use the image
  without -rocm; restart Ollama.
Fix safety: restart.
References: Ollama scripts/install.sh; Docker Hub ollama/ollama tags.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus
from ongpu.rules.rule import Hit, Rule, likely

_ROCM = words(r"\brocm_v\d", r"lib/ollama/rocm", r"ollama/ollama:[\w.-]{0,30}rocm", r"loaded ROCm backend")
_TRIED = ("OLLAMA_LIBRARY_PATH", "failed to load")  # Ollama tries one set of libraries after the other
_CUDA = words(r"\bcuda_v\d", "libggml-cuda", r"cuda_jetpack", "loaded CUDA backend")
_NVIDIA = words(r"NVIDIA Corporation", r"NVIDIA-SMI \d")


def check(seen: Evidence) -> Hit | None:
    rocm = next((hit.line for hit in seen.all(_ROCM) if not any(w in hit.line.text for w in _TRIED)), None)
    if rocm is None or seen.find(_CUDA):
        return None
    card = seen.find(_NVIDIA) or next((line for name, line in gpus.names(seen) if "NVIDIA" in name), None)
    return (
        likely("only the libraries for AMD are installed, on a machine with an NVIDIA GPU", rocm, card)
        if card
        else None
    )


RULE = Rule(
    id="SW-052",
    slug="rocm-only-install",
    severity="critical",
    check=check,
    needs=(
        "package",
        "container",
    ),
    explains=(
        "install-incomplete",
        "distro-package-no-cuda",
    ),
    fires=(
        "docker run -d --gpus=all ollama/ollama:0.12.3-rocm\n01:00.0 VGA compatible controller: NVIDIA Corporation GA102 [GeForce RTX 3090] (rev a1)",
    ),
    quiet=(
        "docker run -d --gpus=all ollama/ollama:0.12.3\n01:00.0 VGA compatible controller: NVIDIA Corporation GA102 [GeForce RTX 3090] (rev a1)",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The snap may not use the NVIDIA libraries.

What it means: Ollama runs as a snap, whose confinement gives it no, or the wrong, graphics libraries.
Why it matters: CUDA finds no driver inside the snap, though it works outside.
How it comes about: The content interface gpu-2404 is connected to mesa-2404 instead of NVIDIA's, or to nothing.
Fix: Connect the snap to a provider with NVIDIA's libraries (snap connections ollama), or install Ollama's own release.
Fix safety: restart.
References: snapcraft content interface gpu-2404; CUDA error 35.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, placement, places
from ongpu.rules.rule import Hit, Rule, likely, proven

_MESA = words(
    r"ollama:gpu-2404\s+(?:mesa-2404:\S*|-)",
    r"apparmor=\"DENIED\"[^\n]{0,200}snap\.ollama[^\n]{0,200}nvidia",
    r"opengl\s+ollama:opengl\s+-",
)


def check(seen: Evidence) -> Hit | None:
    cuda = codes.cuda_codes(seen)
    failed = next((cuda[code] for code in (35, 100, 999, 3) if code in cuda), None)
    if line := seen.find(_MESA):
        return proven("the snap's confinement keeps NVIDIA's libraries from Ollama", line, failed)
    snap = places.snap(seen)
    broken = failed or placement.no_gpu(seen)
    return likely("Ollama runs as a snap and finds no usable driver in it", snap, broken) if snap and broken else None


RULE = Rule(
    id="SW-035",
    slug="snap-confinement",
    severity="critical",
    check=check,
    needs=("package", "log"),
    explains=("driver-too-old", "nvidia-uvm-not-loaded", "install-incomplete", "distro-package-no-cuda"),
    fires=(
        "content[gpu-2404]    ollama:gpu-2404      mesa-2404:gpu-2404",
        "$ snap list ollama\ncudaGetDeviceCount returned 35",
    ),
    quiet=("content[gpu-2404]    ollama:gpu-2404      nvidia-2404:gpu-2404",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

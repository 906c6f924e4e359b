"""An AMD GPU's driver stops the discovery of GPUs.

What it means: Releases of January to March 2024 give up when they find an AMD card that they may not open; later ones
  go on to the NVIDIA cards.
Why it matters: The server does not start, or does not use the NVIDIA card.
How it comes about: A processor with Radeon graphics beside an NVIDIA card.
Fix: Upgrade Ollama; until then add the service's user to the groups render and video, or switch the AMD graphics off.
Fix safety: restart.
References: Ollama issues 2392 and 2442 (0.1.20 to 0.1.24); pull request 6736 for later releases.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement
from ongpu.rules.rule import Hit, Rule, possible, proven

_ENDED = words(
    "Radeon card detected, but", "unable to initialize llm library[^\\n]{0,60}(?:Radeon|amdgpu|rocm|AMD)[^\\n]{0,140}"
)
# Later releases say these and go on to the NVIDIA cards.
_SAID = words("amdgpu detected, but no compatible")
_HARMLESS = words("permission problems block access")


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_ENDED):
        return proven("an AMD card that may not be opened stops the discovery of GPUs", line)
    line = None if placement.gpu_seen(seen) or seen.find(_HARMLESS) else seen.find(_SAID)
    return possible("an AMD card's driver may have stopped the discovery of GPUs", line) if line else None


RULE = Rule(
    id="SW-029",
    slug="amd-driver-blocks-discovery",
    severity="critical",
    check=check,
    needs=("log",),
    fires=(
        "Error: unable to initialize llm library Radeon card detected, but permissions not set up properly.  Either run ollama as root, or add you user account to the render group.",
    ),
    quiet=(
        'level=INFO source=amd_linux.go msg="no compatible amdgpu devices detected"',
        'level=ERROR source=amd_linux.go:404 msg="amdgpu devices detected but permission problems block access: permissions not set up properly.  Either run ollama as root, or add you user account to the render group. open /dev/kfd: permission denied"',
        'level=WARN source=amd_linux.go:341 msg="amdgpu detected, but no compatible rocm library found."\nlevel=INFO source=types.go:123 msg="inference compute" id=GPU-1 library=cuda compute=8.9 name="NVIDIA GeForce RTX 4090" total="23.6 GiB" available="22.8 GiB"',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

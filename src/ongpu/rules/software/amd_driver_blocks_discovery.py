"""An AMD GPU's driver stops the discovery of GPUs.

What it means: Releases around 0.1.2x give up when they find an AMD card that they may not open, before they look for
  NVIDIA cards.
Why it matters: The server does not start, or does not use the NVIDIA card.
How it comes about: A processor with Radeon graphics beside an NVIDIA card.
Fix: Upgrade Ollama; until then add the service's user to the groups render and video, or switch the AMD graphics off.
Fix safety: restart.
References: Ollama gpu/amd_linux.go of 0.1.2x.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(
    "Radeon card detected", "unable to initialize llm library[^\\n]{0,60}(?:Radeon|amdgpu|rocm|AMD)[^\\n]{0,140}", "amdgpu detected, but no compatible",
    r"AMD[^\n]{0,60}permissions not set up properly", "add you user account to the render group",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("an AMD card that may not be opened stops the discovery of GPUs", line) if line else None


RULE = Rule(
    id="SW-029",
    slug="amd-driver-blocks-discovery",
    severity="critical",
    check=check,
    needs=("log",),
    fires=(
        "Error: unable to initialize llm library Radeon card detected, but permissions not set up properly.  Either run ollama as root, or add you user account to the render group.",
    ),
    quiet=('level=INFO source=amd_linux.go msg="no compatible amdgpu devices detected"',),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

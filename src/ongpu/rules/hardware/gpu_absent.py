"""There is no NVIDIA GPU in this machine.

What it means: The PCI bus was listed and no NVIDIA device is on it.
Why it matters: Ollama can only use the CPU, whatever is installed.
How it comes about: A virtual machine without passthrough, a card that is not seated or not powered, a slot that the
  firmware switched off, or the wrong host.
Fix: Pass the GPU through to this virtual machine, or seat and power the card and switch its slot on.
Fix safety: manual.
References: lspci -d 10de:.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_NONE = words(
    "no NVIDIA (?:display controller|GPU|device) (?:on|in) (?:the )?(?:PCI|this machine)",
    r"NVRM: No NVIDIA (?:GPU|devices) (?:found|probed)",
)


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_NONE)
    return proven("no NVIDIA GPU on the PCI bus", line) if line else None


RULE = Rule(
    id="HW-008",
    slug="gpu-absent",
    severity="critical",
    check=check,
    needs=("kernel", "system"),
    explains=("driver-not-running", "driver-user-libs-missing", "nvidia-uvm-not-loaded", "driver-regression"),
    fires=("no NVIDIA GPU on the PCI bus",),
    quiet=("01:00.0 VGA compatible controller: NVIDIA Corporation GP106M [GeForce GTX 1060 Mobile]",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

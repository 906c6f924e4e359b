"""The next restart would lose the GPU: its kernel has no NVIDIA module.

What it means: A newer kernel is installed and would be booted next, and the NVIDIA module was not built for it.
Why it matters: Everything works now. After the next restart no program can use the GPU.
How it comes about: A kernel upgrade without matching headers, or a DKMS build that failed.
Fix: Install the headers of the new kernel and build the module for it (sudo dkms autoinstall -k KERNEL), or remove
  that kernel, before the host restarts.
Fix safety: safe; nothing that runs is touched.
References: modinfo -k KERNEL nvidia; dkms(8).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(r"the next kernel \S{3,80} has no NVIDIA module")  # a snapshot's own words


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("the kernel that the next restart boots has no NVIDIA module", line) if line else None


RULE = Rule(
    id="SW-046",
    slug="next-kernel-without-module",
    severity="info",
    check=check,
    needs=("system",),
    fires=("the next kernel 6.8.0-60-generic has no NVIDIA module",),
    quiet=("nvidia/580.95.05, 6.8.0-45-generic, x86_64: installed",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The driver reports a GPU error (Xid).

What it means: The NVIDIA kernel module logged an Xid: a fault of the GPU, of its memory or links, or of a program on it.
Why it matters: Depending on the code the program ended, or the GPU is unusable until it is reset.
How it comes about: The code says it: see the finding's text. The first code of a burst is the cause; 43 and 45 after
  it are consequences.
Fix: Do what the code asks for. For a reset of the GPU stop everything that uses it and load the driver anew, with the
  commands below; "in use" there means that something is left (sudo fuser -v /dev/nvidia*). If that does not help,
  restart the host; if the same code returns after that, have the card examined.
Fix safety: manual; a reset ends everything on the GPU.
References: NVIDIA's Xid catalogue (docs.nvidia.com/deploy/xid-errors).
"""

from __future__ import annotations

import re

from ongpu.rules.evidence import Evidence
from ongpu.rules.rule import Hit, Rule, proven
from ongpu.rules.xid import HARMLESS, SeenXid, meaning, xids

_NAME = re.compile(r"\bname='?([\w./+-]{1,60})")
_OURS = re.compile("ollama|llama")


def check(seen: Evidence) -> Hit | None:
    found = [xid for xid in xids(seen) if xid.code not in (54, 79)]
    grave = [xid for xid in found if meaning(xid.code).action not in HARMLESS and not _is_of_another(xid)]
    if not grave:
        return None
    first = grave[0]
    means = meaning(first.code)
    last = next((xid for xid in reversed(grave) if xid.code == 154), None)
    asks = f"; {last.text.strip()}" if last and last is not first else ""
    return proven(
        f"GPU {first.address}: Xid {first.code}, {means.text} (action: {means.action}){asks}",
        first.line,
        last.line if last and last is not first else None,
    )


def _is_of_another(xid: SeenXid) -> bool:
    """A fault of a program that is neither Ollama nor its runner, and that only this program feels."""
    name = _NAME.search(xid.text)
    return meaning(xid.code).action == "restart application" and name is not None and not _OURS.search(name[1])


RULE = Rule(
    id="HW-007",
    slug="xid-error",
    severity="warning",
    check=check,
    needs=("kernel",),
    explains=("gpu-needs-reset",),
    commands=(
        "sudo systemctl stop ollama nvidia-persistenced",
        "sudo modprobe -r nvidia_uvm nvidia_drm nvidia_modeset nvidia",
        "sudo modprobe nvidia",
        "sudo modprobe nvidia-uvm",
        "sudo systemctl start nvidia-persistenced ollama",
    ),
    fires=(
        "NVRM: Xid (PCI:0000:01:00 GPU-I:05): 94, pid=7194, Contained: CE User Channel (0x9). RST: No, D-RST: No",
        "NVRM: Xid (PCI:0000:05:00): 119, Timeout waiting for RPC from GSP\nNVRM: Xid (PCI:0000:05:00): 154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)",
    ),
    quiet=(
        "NVRM: Xid (PCI:0000:05:00): 43, pid=99, name=python, Ch 00000008",
        "NVRM: Xid (PCI:0000:05:00): 31, pid=99, name=blender, Ch 00000010, intr 00000000. MMU Fault",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

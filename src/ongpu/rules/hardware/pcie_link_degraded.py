"""The GPU has fewer PCI Express lanes than it could have.

What it means: The link between CPU and GPU is narrower than both ends allow. The width does not change with load, the
  speed does.
Why it matters: Models load slowly, and what passes between CPU and GPU (models on several GPUs, or partly on the CPU)
  is slow.
How it comes about: A riser or cable, dirt, a card that is not fully seated, a slot with fewer lanes, or lanes shared
  with another slot.
Fix: Reseat the card, take another slot or cable, look at the lanes' settings in the firmware. For a slot that has no
  more lanes there is nothing to repair.
Fix safety: manual; work at the machine.
References: nvidia-smi -q (PCI, GPU Link Info); sysfs current_link_width.
"""

from __future__ import annotations

import re

from ongpu.rules.evidence import Evidence, Line, words
from ongpu.rules.facts import query
from ongpu.rules.rule import Hit, Rule, proven

#         Link Width
#             Max                   : 16x
#             Current               : 1x
_WIDTH = words(r"Link Width\s+Max +: (\d{1,2})x\s+Current +: (\d{1,2})x")
_COUNTED = words(r"PCIe link width (\d{1,2}) of (\d{1,2})")  # a snapshot's own words
_LNKSTA = words(r"LnkSta:[^\n]{0,60}Width x(\d{1,2}) \(downgraded\)")
_NUMBER = re.compile(r"\d{1,2}$")
_WORTH = 4  # a link of half the lanes costs a language model next to nothing; below a quarter it is felt


def check(seen: Evidence) -> Hit | None:
    found = _narrow(seen)
    if found is None:
        return None
    now, most, line = found
    return proven(f"the GPU's PCI Express link has {now} of {most} lanes", line)


def _narrow(seen: Evidence) -> tuple[int, int, Line] | None:
    pairs = [(int(hit.match[2]), int(hit.match[1]), hit.line) for hit in seen.all(_WIDTH)]
    pairs += [(int(hit.match[1]), int(hit.match[2]), hit.line) for hit in seen.all(_COUNTED)]
    pairs += [(int(hit.match[1]), 16, hit.line) for hit in seen.all(_LNKSTA) if "NVIDIA" in hit.line.source.upper()]
    rows: dict[Line, dict[str, int]] = {}
    for one in query.answers(seen):
        if one.field.startswith("pcie.link.width") and _NUMBER.match(one.value):
            rows.setdefault(one.line, {})[one.field] = int(one.value)
    pairs += [
        (row["pcie.link.width.current"], row["pcie.link.width.max"], line)
        for line, row in rows.items()
        if "pcie.link.width.current" in row and "pcie.link.width.max" in row
    ]
    return next((pair for pair in pairs if 0 < pair[0] * _WORTH <= pair[1]), None)


RULE = Rule(
    id="HW-017",
    slug="pcie-link-degraded",
    severity="warning",
    check=check,
    needs=("smi",),
    fires=(
        "        GPU Link Info\n            Link Width\n                Max                       : 16x\n                Current                   : 1x",
        "index, pcie.link.width.current, pcie.link.width.max\n0, 1, 16",
    ),
    quiet=(
        "            Link Width\n                Max                       : 16x\n                Current                   : 16x",
        "index, pcie.link.width.current, pcie.link.width.max\n0, 8, 16",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

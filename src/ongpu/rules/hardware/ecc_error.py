"""The GPU's memory has uncorrectable errors, or rows that wait for replacement.

What it means: Error correction found errors that it could not correct, or a reset is due to replace bad rows.
Why it matters: Programs on the GPU are ended, results may be wrong, memory may shrink.
How it comes about: Memory that wears out, or heat.
Fix: Reset the GPU or restart the host so that bad rows are replaced; if remapping fails or errors return, replace the
  card.
Fix safety: reboot.
References: nvidia-smi -q -d ECC,ROW_REMAPPER,PAGE_RETIREMENT.
"""

from __future__ import annotations

import re

from ongpu.rules.action import Reboot, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import query
from ongpu.rules.rule import Hit, Rule, proven

_BAD = words(
    r"Remapping Failure Occurred *: *Yes", r"Pending(?: Page Blacklist)? *: *Yes", r"(?:Double Bit|(?:DRAM|SRAM) Uncorrectable\w*)[^\n:]{0,20}: *[1-9]\d*",
    r"uncorrected ECC errors since start: [1-9]",
)  # fmt: skip
_FIELDS = (
    "uncorrected.volatile.total",
    "uncorrected.aggregate.total",
    "remapped_rows.failure",
    "retired_pages.pending",
)
_SOME = re.compile(r"[1-9]|Yes")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_BAD) or next((found for name in _FIELDS if (found := query.first(seen, name, _SOME))), None)
    return proven("the GPU's memory has errors that could not be corrected", line) if line else None


RULE = Rule(
    id="HW-014",
    slug="ecc-error",
    severity="warning",
    check=check,
    needs=("smi",),
    explains=("gpu-needs-reset",),
    repair=always(Reboot()),
    fires=("        Remapping Failure Occurred        : Yes", "            DRAM Uncorrectable            : 3"),
    quiet=("        Remapping Failure Occurred        : No\n            DRAM Uncorrectable            : 0",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The GPU has no spare memory rows left where they are needed.

What it means: A bad row of the GPU's memory could not be replaced by a spare one: replacement failed.
Why it matters: The errors stay. Programs that touch this memory are ended, and a reset or reboot does not help.
How it comes about: Memory that wears out until a bank has used up its spare rows, or a defective card.
Fix: Move the models to another host and have the card exchanged: NVIDIA takes this as a reason for it. Keep the output
  of nvidia-smi -q for the request.
Fix safety: manual; the card has to be exchanged.
References: NVIDIA GPU memory error management (row remapping, RMA policy), docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt;
  NVML nvmlDeviceGetRemappedRows (failureOccurred); Xid 64.
"""

from __future__ import annotations

import re

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import query
from ongpu.rules.rule import Hit, Rule, proven

#         Remapping Failure Occurred        : Yes      (nvidia-smi -q -d ROW_REMAPPER)
_FAILED = words(r"Remapping Failure Occurred *: *Yes", r"Xid[^\n]{0,60}: 64,")
_YES = re.compile(r"Yes|[1-9]")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_FAILED) or query.first(seen, "remapped_rows.failure", _YES)
    return proven("a bad row of the GPU's memory could not be replaced: the card is worn out", line) if line else None


RULE = Rule(
    id="HW-021",
    slug="row-remap-failed",
    severity="critical",
    check=check,
    needs=("smi",),
    explains=("ecc-error", "gpu-needs-reset", "xid-error"),
    commands=("nvidia-smi -q -d ROW_REMAPPER,ECC",),
    fires=(
        "        Remapping Failure Occurred        : Yes",
        "$ nvidia-smi --query-gpu=index,remapped_rows.failure --format=csv\nindex, remapped_rows.failure\n0, Yes",
        "NVRM: Xid (PCI:0000:c1:00): 64, pid='<unknown>', name=<unknown>, Row Remapper Failure",
    ),
    quiet=("        Remapping Failure Occurred        : No",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""Multi-instance GPUs as nvidia-smi shows them: in its table, with -L, -q and --query-gpu."""

from __future__ import annotations

import re

from ongpu.rules.evidence import Evidence, Line, words
from ongpu.rules.facts import query

# |                                         |                        |              Enabled |
_ENABLED = words(
    r"^\|[ ]+\|[^|\n]*\|[ ]+Enabled\*? +\|",
    r"MIG Mode\s+Current +: Enabled",
    r"\bMIG M\. ?(?:is )?Enabled",
    "MIG mode (?:is )?(?:on|enabled)",
)
_NONE = words("No MIG devices found", "no MIG (?:instances|devices)", "No GPU instances found")
#   MIG 1g.24gb     Device  0: (UUID: MIG-…)
_INSTANCE = words(r"^\s*MIG \d+[gc]\.\d+gb[^\n]{0,30} Device +\d+")
# |  0    3   0   0  |     12MiB /  9728MiB | 14      0 |  1   0    0    0    0 |
_ROW = words(r"^\| +\d+ +\d+ +\d+ +\d+ +\|[^\n]{10,}MiB")
_NAMED = words(r"\bMIG-[0-9a-f]{8}-", r"\bMIG-GPU-", r"MIG devices:", r"\bMIG \dg\.\d+gb\b")
_ON = re.compile("Enabled")


def enabled(seen: Evidence) -> Line | None:
    return seen.find(_ENABLED) or query.first(seen, "mig.mode.current", _ON)


def none(seen: Evidence) -> Line | None:
    """A line in which nvidia-smi says that there are no instances."""
    return seen.find(_NONE)


def instances(seen: Evidence) -> list[Line]:
    """One line for each instance that is listed; the list of one command only."""
    return [hit.line for hit in seen.all(_INSTANCE)] or [hit.line for hit in seen.all(_ROW)]


def instance(seen: Evidence) -> Line | None:
    """A line that shows that there is an instance."""
    return next(iter(instances(seen)), None) or (None if none(seen) else seen.find(_NAMED))

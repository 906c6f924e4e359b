"""Heat slows the GPU down.

What it means: The GPU lowers its clocks because it, or its memory, is too hot.
Why it matters: Tokens come several times slower although everything is on the GPU.
How it comes about: Dust, failed or blocked fans, a passive card without airflow, a hot room or rack.
Fix: Clean and improve the cooling (airflow for passive cards); until then lower the power limit with nvidia-smi -pl.
Fix safety: manual; work at the machine.
References: nvidia-smi -q -d PERFORMANCE,TEMPERATURE; NVML clocks event reasons 0x20 and 0x40.
"""

from __future__ import annotations

import re

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import query
from ongpu.rules.rule import Hit, Rule, likely, proven

_ACTIVE = words(
    r"(?:HW |SW )?Thermal Slowdown *: *Active", r"(?:hw|sw)_thermal_slowdown\D{1,4}Active", r"thermal(?:ly)? throttl\w+", r"\boverheat\w*",
    r"\b(?:too hot|gets hot|heats? up|because of heat)\b", r"temperatures? (?:reach|hit|at|of|above|climb)\w*[^\n]{0,20} 9\d\b",
    "HW Slowdown *: *Active", "throttl\\w+ (?:due to|because of) (?:heat|temperature|thermal)",
)  # fmt: skip
# |  N/A  95C    P0  …  (table)        GPU Current Temp : 93 C (-q)
_HOT = re.compile(r"^\|[^|\n]{1,12}\b(\d{2,3})C +P\d|GPU Current Temp +: (\d{2,3}) C", re.MULTILINE)
_YES = re.compile("Active")
_LIMIT = 88


def check(seen: Evidence) -> Hit | None:
    if line := seen.told(_ACTIVE):
        return proven("the GPU has lowered its clocks because of heat", line)
    if line := query.first(seen, "thermal_slowdown", _YES):
        return proven("the GPU has lowered its clocks because of heat", line)
    for hit in seen.all(_HOT):
        if (degrees := int(hit.match[1] or hit.match[2])) >= _LIMIT:
            return likely(f"the GPU is at {degrees} °C, where it lowers its clocks", hit.line)
    return None


RULE = Rule(
    id="HW-005",
    slug="thermal-throttle",
    severity="warning",
    check=check,
    needs=("smi",),
    explains=("power-cap-active",),
    fires=(
        "        HW Thermal Slowdown               : Active",
        "        SW Thermal Slowdown : Active",
        "        GPU Current Temp                  : 96 C",
    ),
    quiet=("        HW Thermal Slowdown               : Not Active\n        GPU Current Temp : 54 C",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

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
from collections.abc import Iterator

from ongpu.rules.evidence import Evidence, Line, words
from ongpu.rules.facts import query
from ongpu.rules.pattern import regex
from ongpu.rules.rule import Hit, Rule, likely, proven

_ACTIVE = words(
    r"(?:HW |SW )?Thermal Slowdown *: *Active", r"(?:hw|sw)_thermal_slowdown\D{1,4}Active", r"thermal(?:ly)?[ _-]throttl\w+(?![^\n]{0,4}\b(?:no|none|false|0)\b)", r"throttl\w+[^\n]{0,12}\bthermal", r"\boverheat\w*",
    r"\b(?:too hot|gets hot|heats? up|because of heat)\b", r"temperatures? (?:reach|hit|at|of|above|climb)\w*[^\n]{0,20} 9\d\b",
    "HW Slowdown *: *Active", "throttl\\w+ (?:due to|because of) (?:heat|temperature|thermal)",
)  # fmt: skip
# |  N/A  95C    P0  …  (table)        GPU Current Temp : 93 C (-q)
_HOT = regex(r"^\|[^|\n]{1,12}\b(\d{2,3})C +P\d|GPU Current Temp +: (\d{2,3}) C", re.MULTILINE)
#  temp 93C      temperature: 95 °C      (of other tools; nvidia-smi's own limits are none)
_TOLD_HOT = words(
    r"(?<!Slowdown\s)(?<!Shutdown\s)(?<!Operating\s)(?<!Limit\s)(?<!Max\s)\btemp(?:erature)?[ :=]{1,3}(\d{2,3}) ?°? ?C\b"
)
_MASK = 0x20 | 0x40 | 0x8  # SwThermalSlowdown, HwThermalSlowdown, HwSlowdown
_YES = re.compile("Active")
_BRAKE = 0x80  # HwPowerBrakeSlowdown: then HwSlowdown is not of heat
_LIMIT, _NONE = 88, 150


def check(seen: Evidence) -> Hit | None:
    if line := seen.told(_ACTIVE):
        return proven("the GPU has lowered its clocks because of heat", line)
    if line := query.first(seen, "thermal_slowdown", _YES):
        return proven("the GPU has lowered its clocks because of heat", line)
    if line := next((line for mask, line in query.reasons(seen) if mask & _MASK and not mask & _BRAKE), None):
        return proven("the GPU has lowered its clocks because of heat", line)
    degrees, hottest = max(_degrees(seen), key=lambda one: one[0], default=(0, None))
    return likely(f"the GPU is at {degrees} °C, where it lowers its clocks", hottest) if degrees >= _LIMIT else None


def _degrees(seen: Evidence) -> Iterator[tuple[int, Line]]:
    """The GPUs' temperatures, wherever they are shown; 150 and more is none."""
    for hit in (*seen.all(_HOT), *seen.all(_TOLD_HOT)):
        yield int(next(group for group in hit.match.groups() if group)), hit.line
    for one in query.answers(seen):
        if one.field in ("temperature.gpu", "gtemp") and one.value.isdecimal() and int(one.value) < _NONE:
            yield int(one.value), one.line


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
        "temperature.gpu, clocks_throttle_reasons.active\n84, 0x0000000000000020",
        "# gpu   pwr  gtemp  mtemp   mclk   pclk\n# Idx     W      C      C    MHz    MHz\n    0    64     92      -   3504    480",
    ),
    quiet=(
        "        HW Thermal Slowdown               : Not Active\n        GPU Current Temp : 54 C",
        "        GPU Current Temp                  : 61 C\n        GPU Shutdown Temp                 : 98 C\n        GPU Slowdown Temp                 : 95 C",
        "temperature.gpu, clocks_throttle_reasons.active\n64, 0x0000000000000001",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""A setting holds the GPU's clocks below its maximum.

What it means: Somebody locked the clocks or set application clocks, and the GPU would run faster without.
Why it matters: Tokens come more slowly, although everything is on the GPU. Some data centre cards come with application
  clocks a little below their maximum: there it is normal and costs little.
How it comes about: nvidia-smi -lgc, -lmc or -ac, by hand or in a unit of the system (to save power, or for benchmarks).
Fix: If nobody wants it, take the lock and the application clocks back, with the commands below (all GPUs; -i INDEX for
  one), and remove it from the unit that sets it. What the inventory declares (driver.settings) is set again by apply.
Fix safety: manual; somebody set it.
References: NVML clocks event reason 0x2 (nvmlClocksEventReasonApplicationsClocksSetting); nvidia-smi -q -d PERFORMANCE.
"""

from __future__ import annotations

import re

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import query
from ongpu.rules.rule import Hit, Rule, proven

_ACTIVE = words(r"Applications? Clocks Setting *: *Active")
_YES = re.compile("Active")
_MASK = 0x2


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_ACTIVE) or query.first(seen, "applications_clocks_setting", _YES)
    line = line or next((line for mask, line in query.reasons(seen) if mask & _MASK), None)
    return proven("a setting holds the GPU's clocks below its maximum", line) if line else None


RULE = Rule(
    id="HW-023",
    slug="clocks-limited",
    severity="info",
    check=check,
    needs=("smi",),
    commands=("sudo nvidia-smi -rgc", "sudo nvidia-smi -rmc", "sudo nvidia-smi -rac"),
    fires=(
        "            Applications Clocks Setting       : Active",
        "clocks_event_reasons.active, power.draw [W]\n0x0000000000000002, 119.12 W",
    ),
    quiet=("            Applications Clocks Setting       : Not Active",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

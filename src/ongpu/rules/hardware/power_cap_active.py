"""The power limit holds the GPU's clocks down.

What it means: The GPU would take more power than its limit allows, and lowers its clocks.
Why it matters: Under full load this is normal and costs a little speed; with a low limit it costs much.
How it comes about: A limit set with nvidia-smi -pl, a laptop's power profile, or simply full load.
Fix: Compare the limit with the card's default (nvidia-smi -q -d POWER) and raise it with nvidia-smi -pl if it was
  lowered and the cooling allows it.
Fix safety: manual.
References: nvidia-smi -q -d POWER,PERFORMANCE; NVML clocks event reason 0x4.
"""

from __future__ import annotations

import re

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import query
from ongpu.rules.rule import Hit, Rule, proven

_ACTIVE = words(
    r"SW Power Cap *: *Active", r"sw_power_cap\D{1,4}Active", r"HW Power Brake Slowdown *: *Active", r"power cap active"
)
_MASK = 0x4 | 0x80  # SwPowerCap, HwPowerBrakeSlowdown
_YES = re.compile("Active")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_ACTIVE) or query.first(seen, "sw_power_cap", _YES)
    line = line or next((line for mask, line in query.reasons(seen) if mask & _MASK), None)
    return proven("the power limit holds the GPU's clocks down", line) if line else None


RULE = Rule(
    id="HW-006",
    slug="power-cap-active",
    severity="info",
    check=check,
    needs=("smi",),
    fires=(
        "        SW Power Cap                      : Active",
        "clocks_event_reasons.active, power.draw [W]\n0x0000000000000004, 199.12 W",
    ),
    quiet=(
        "        SW Power Cap                      : Not Active",
        "clocks_event_reasons.active, power.draw [W]\n0x0000000000000001, 19.12 W",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

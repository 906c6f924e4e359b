"""The power limit holds the GPU's clocks down.

What it means: The GPU would take more power than its limit allows, and lowers its clocks.
Why it matters: Under full load this is normal and costs a little speed; with a low limit it costs much.
How it comes about: A limit set with nvidia-smi -pl, a laptop's power profile, or simply full load.
Fix: Compare the limit with the card's default (nvidia-smi -q -d POWER: Current and Default Power Limit). If somebody
  lowered it, and supply and cooling allow it, set the default again; else leave it.
Fix safety: manual.
References: nvidia-smi -q -d POWER,PERFORMANCE; NVML clocks event reason 0x4.
"""

from __future__ import annotations

import re

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import query
from ongpu.rules.rule import Fill, Hit, Rule, proven

_ACTIVE = words(
    r"SW Power Cap *: *Active", r"sw_power_cap\D{1,4}Active", r"HW Power Brake Slowdown *: *Active", r"power cap active"
)
_MASK = 0x4 | 0x80  # SwPowerCap, HwPowerBrakeSlowdown
_YES = re.compile("Active")
# GPU 0: power limit 150 W, 300 W by default (a snapshot's own words)
_LOWERED = words(r"^GPU \d{1,2}: power limit [\d.]{1,6} W, ([\d.]{1,6}) W by default")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_ACTIVE) or query.first(seen, "sw_power_cap", _YES)
    line = line or next((line for mask, line in query.reasons(seen) if mask & _MASK), None)
    return proven("the power limit holds the GPU's clocks down", line, seen.find(_LOWERED)) if line else None


RULE = Rule(
    id="HW-006",
    slug="power-cap-active",
    severity="info",
    check=check,
    needs=("smi",),
    commands=("sudo nvidia-smi -i INDEX -pl WATTS",),
    fills=(
        Fill("INDEX", words(r"^GPU (\d{1,2}): power limit ")),
        Fill("WATTS", _LOWERED),
    ),
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

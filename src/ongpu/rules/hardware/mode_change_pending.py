"""The next reset or restart changes the mode of a GPU.

What it means: ECC or MIG mode was switched, and the GPU keeps its present mode until it is reset or the host restarts.
Why it matters: Nothing is wrong now. ECC takes a part of the memory (about 6 % on cards with GDDR6), so models that fit
  now may not fit then; in MIG mode nothing can use the GPU before instances are made.
How it comes about: nvidia-smi -e or -mig was run, and the restart that it asked for has not been done.
Fix: Restart the host when it suits, or take the change back: sudo nvidia-smi -i INDEX -e 0 or 1 (ECC), -mig 0 or 1.
Fix safety: reboot.
References: nvidia-smi -q -d ECC,COMPUTE (Current and Pending); NVML nvmlDeviceGetEccMode, nvmlDeviceGetMigMode.
"""

from __future__ import annotations

from ongpu.rules.action import Reboot, always
from ongpu.rules.evidence import Evidence, Line, words
from ongpu.rules.facts import query
from ongpu.rules.rule import Hit, Rule, proven

#     ECC Mode
#         Current                           : Enabled
#         Pending                           : Disabled      (nvidia-smi -q)
_DIFFER = words(
    r"\b(ECC|MIG) Mode\s{1,40}Current +: Enabled\s{1,40}Pending +: Disabled",
    r"\b(ECC|MIG) Mode\s{1,40}Current +: Disabled\s{1,40}Pending +: Enabled",
    r"^GPU \d{1,2}: (ECC|MIG) mode is (?:on|off), and the other way after a reset",  # a snapshot's own words
)


def check(seen: Evidence) -> Hit | None:
    if found := seen.match(_DIFFER):
        mode = next(group for group in found.match.groups() if group).upper()
        return _hit(mode, found.line)
    for mode in ("ecc", "mig"):
        now = {one.line: one.value for one in query.answers(seen) if one.field == f"{mode}.mode.current"}
        for one in query.answers(seen):
            known = {"Enabled", "Disabled"}
            if one.field == f"{mode}.mode.pending" and {one.value, now.get(one.line)} == known:
                return _hit(mode.upper(), one.line)
    return None


def _hit(mode: str, line: Line) -> Hit:
    return proven(f"{mode} mode of a GPU changes with the next reset or restart", line)


RULE = Rule(
    id="HW-022",
    slug="mode-change-pending",
    severity="info",
    check=check,
    needs=("smi",),
    commands=("sudo systemctl reboot",),
    repair=always(Reboot()),
    fires=(
        "    ECC Mode\n        Current                           : Enabled\n        Pending                           : Disabled",
        "    MIG Mode\n        Current                           : Disabled\n        Pending                           : Enabled",
        "$ nvidia-smi --query-gpu=index,ecc.mode.current,ecc.mode.pending --format=csv\nindex, ecc.mode.current, ecc.mode.pending\n0, Disabled, Enabled",
    ),
    quiet=(
        "    ECC Mode\n        Current                           : Enabled\n        Pending                           : Enabled",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""A driver branch does not work with this GPU or kernel.

What it means: The driver is loaded and finds no device, although the card is there and another branch worked.
Why it matters: No program can use the GPU.
How it comes about: A driver upgrade to a branch that has a fault with this card, this kernel or this machine.
Fix: Look at the kernel log for the reason (dmesg | grep -i nvrm). If it names none, go back to the branch that worked,
  hold it, and restart.
Fix safety: reboot.
References: NVRM messages in the kernel log; NVIDIA's supported-gpus.json.
"""

from __future__ import annotations

from ongpu.rules.action import DRIVER, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, gpus, placement
from ongpu.rules.rule import Hit, Rule, likely, possible

_VERSION = words(r"\b(\d{3}\.\d{2,3}(?:\.\d{1,2})?)\b")
_OTHER_WORKED = words(
    r"(?:older|previous|earlier|old|other) (?:driver|branch|version)[^\n]{0,60}(?:work|fine|ok)", r"(?:downgrad|roll\w* ?back|revert)\w*[^\n]{0,80}(?:driver|\d{3}|work|fix)",
    r"(?:driver )?\d{3}[.\d]{0,10}[^\n]{0,30}works?\b", r"works?(?: fine)? (?:with|on) (?:driver )?\d{3}", "after (?:the |a )?(?:driver )?(?:update|upgrade)[^\n]{0,60}driver",
)  # fmt: skip
_WENT_BACK = words(
    r"(?:older|previous|earlier|old) (?:nvidia )?driver[^\n]{0,60}(?:work|fine|ok|help|solv|fix)",
    r"(?:downgrad|roll\w* ?back|revert|go\w* back)\w*[^\n]{0,60}driver",
    r"(?:since|after) (?:the |an? )?(?:updat|upgrad)\w+ (?:of )?(?:the |to )?(?:nvidia )?driver",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    none = codes.nvml_codes(seen).get(6)
    if none is None:
        back, nothing = seen.told(_WENT_BACK), placement.no_gpu(seen)
        return possible("another driver version worked", back, nothing) if back and nothing else None
    worked = seen.told(_OTHER_WORKED)
    versions = {hit.match[1] for hit in seen.all(_VERSION)}
    if worked or len(versions) > 1:
        return likely("the driver finds no device with this branch, another branch worked", none, worked)
    module = gpus.module_version(seen)
    return possible(f"the driver{f' {module[0]}' if module else ''} runs and finds no device", none)


RULE = Rule(
    id="SW-003",
    slug="driver-regression",
    severity="critical",
    check=check,
    needs=("smi", "kernel"),
    repair=always(DRIVER),
    fires=(
        "No devices were found",
        "No devices were found\nDriver 570.133.07 works, 575.51.02 does not.",
    ),
    quiet=("GPU 0: NVIDIA GeForce RTX 4060 (UUID: GPU-00000001-aaaa-bbbb-cccc-000000000001)",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

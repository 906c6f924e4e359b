"""An NVSwitch between the GPUs reports an error (SXid).

What it means: The switch that joins the GPUs of this machine logged an error. Fatal ones take the GPUs behind it
  down.
Why it matters: CUDA fails on some or all GPUs until the machine is reset.
How it comes about: A bad link or connector, a defective switch, or a fabric manager of another version than the
  driver.
Fix: Restart nvidia-fabricmanager with nothing running on the GPUs, then the host. If the same code returns, have the
  machine serviced.
Fix safety: reboot.
References: NVIDIA Fabric Manager user guide (SXid errors).
"""

from __future__ import annotations

from ongpu.rules.action import Reboot, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, likely, proven

# nvidia-nvswitch3: SXid (PCI:0000:05:00.0): 12028, Non-fatal, Link 32 egress non-posted PRIV error
_SXID = words(r"SXid \((?:PCI:)?([0-9a-f:.]{5,20})\): (\d{4,6}), (Non-fatal|Fatal)?[^\n]{0,120}")


def check(seen: Evidence) -> Hit | None:
    found = seen.all(_SXID)
    fatal = next((hit for hit in found if (hit.match[3] or "").lower() == "fatal"), None)
    if fatal:
        return proven(f"NVSwitch {fatal.match[1]}: fatal error (SXid {fatal.match[2]})", fatal.line)
    if len(found) > 1:
        return likely(f"NVSwitch {found[0].match[1]}: {len(found)} errors (SXid {found[0].match[2]})", found[0].line)
    return None


RULE = Rule(
    id="HW-020",
    slug="nvswitch-error",
    severity="critical",
    check=check,
    needs=("kernel",),
    explains=(
        "fabric-manager-not-running",
        "xid-error",
    ),
    repair=always(Reboot()),
    fires=("nvidia-nvswitch0: SXid (PCI:0000:07:00.0): 20034, Fatal, Link 30 LTSSM Fault Up",),
    quiet=("nvidia-nvswitch3: SXid (PCI:0000:05:00.0): 12028, Non-fatal, Link 32 egress non-posted PRIV error",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The service's user may not open the GPU's device nodes.

What it means: /dev/nvidia* are there, and the user that runs Ollama has no right to read and write them.
Why it matters: CUDA finds no device for this user; as root everything works.
How it comes about: NVreg_DeviceFileMode or a udev rule narrows the nodes, the user is in none of the groups video and
  render, or systemd hardening (PrivateDevices, DevicePolicy) hides them.
Fix: sudo usermod -aG video,render ollama, or correct the rule or the drop-in that narrows the nodes; restart Ollama.
Fix safety: restart.
References: NVRM parameters NVreg_DeviceFile*; systemd.exec(5).
"""

from __future__ import annotations

from ongpu.rules.action import Action, Converge, Restart, UnitSetting
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, likely, proven

_DENIED = words(
    r"/dev/nvidia\w*'?: Permission denied",
    r"Permission denied[^\n]{0,60}/dev/nvidia",
    r"may not open (?:\S+ )?/dev/nvidia",
    r"make sure /dev/nvidia\* files are readable",
)
_HARDENED = words(r"^PrivateDevices=(?:yes|true|1)", r"^DevicePolicy=(?:closed|strict)")
_ALLOWED = words(r"^DeviceAllow=[^\n]{0,60}nvidia")


def check(seen: Evidence) -> Hit | None:
    hardened = None if seen.find(_ALLOWED) else seen.find(_HARDENED)
    if line := seen.find(_DENIED) or codes.nvml_codes(seen).get(4):
        return proven("the GPU's device nodes may not be opened by this user", line, hardened)
    return likely("the service's unit hides the GPU's device nodes", hardened) if hardened else None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    """What the unit hides is shown again; else the user joins the group that may open the nodes."""
    if seen.find(_HARDENED) and not seen.find(_ALLOWED):
        return UnitSetting("PrivateDevices", "no"), UnitSetting("DevicePolicy", "auto")
    return Converge(("account",)), Restart()


RULE = Rule(
    id="ENV-007",
    slug="device-permission",
    severity="critical",
    check=check,
    needs=("smi", "env", "system"),
    explains=("nvidia-uvm-not-loaded", "container-no-device-nodes"),
    commands=(
        "sudo usermod -aG video,render ollama",
        "sudo systemctl restart ollama",
    ),
    repair=_repair,
    fires=(
        "Failed to initialize NVML: Insufficient Permissions",
        "user ollama may not open /dev/nvidia0",
        "PrivateDevices=yes",
    ),
    quiet=("PrivateDevices=no\nDevicePolicy=auto",),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

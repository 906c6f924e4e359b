"""The NVIDIA driver is not installed or not running.

What it means: nvidia-smi cannot talk to a driver, or is not installed at all.
Why it matters: No program can use the GPU; Ollama runs on the CPU.
How it comes about: No driver was installed, or its kernel module did not load. If the kernel log says why, that
  cause is shown instead.
Fix: Look for the reason with sudo modprobe nvidia and dmesg; install the driver (570 or 580) and restart the host.
Fix safety: reboot.
References: nvidia-smi exit code 9.
"""

from __future__ import annotations

from ongpu.rules.action import DRIVER, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, likely, proven

_NONE = words(
    r"nvidia-smi: (?:command )?not found",
    "nvidia-smi command failed",
    "nvidia-smi is not installed",
    "Command 'nvidia-smi' not found",
)


def check(seen: Evidence) -> Hit | None:
    if line := codes.nvml_codes(seen).get(9):
        return proven("the NVIDIA driver does not run", line)
    if line := seen.find(_NONE):
        return likely("nvidia-smi is not there: the NVIDIA driver is not installed", line)
    return None


RULE = Rule(
    id="SW-005",
    slug="driver-not-running",
    severity="critical",
    check=check,
    needs=("smi", "log"),
    explains=("installer-gpu-detect-warning",),
    repair=always(DRIVER, Restart()),
    fires=(
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.",
        "bash: nvidia-smi: command not found",
    ),
    quiet=("| NVIDIA-SMI 580.95.05   Driver Version: 580.95.05   CUDA Version: 13.0 |",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

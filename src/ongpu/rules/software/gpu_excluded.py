"""The GPU is excluded by a setting of the driver.

What it means: The driver was told to leave this GPU alone.
Why it matters: The GPU is on the bus, and no program can use it.
How it comes about: NVreg_ExcludedGpus in modprobe's configuration, often left from a passthrough set-up or from a
  defect.
Fix: Remove the option (grep -rn ExcludedGpus /etc/modprobe.d), rebuild the initramfs, restart the host.
Fix safety: reboot.
References: /proc/driver/nvidia/gpus/*/information; nv-reg.h (NVreg_ExcludedGpus).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(r"GPU Excluded: *Yes", r"NVreg_ExcludedGpus=\S", r"GPU \S{5,20} is excluded")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("the driver is told to leave a GPU alone", line) if line else None


RULE = Rule(
    id="SW-053",
    slug="gpu-excluded",
    severity="critical",
    check=check,
    needs=(
        "system",
        "text",
    ),
    explains=(
        "gpu-missing-from-driver",
        "driver-regression",
    ),
    fires=(
        "GPU Excluded:\t Yes",
        "options nvidia NVreg_ExcludedGpus=0000:41:00.0",
    ),
    quiet=("GPU Excluded:\t No",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""A GPU is on the PCI bus and the driver does not show it.

What it means: The bus lists more NVIDIA GPUs than nvidia-smi does.
Why it matters: What is missing is not used, and models that need it move to the other GPUs or to the CPU.
How it comes about: The driver could not start the GPU, or lost it; it is excluded by a setting; or it is handed to
  virtual machines.
Fix: Look at the kernel log for this address (dmesg | grep -i nvrm). Restart the host; if it is still missing, reseat
  the card and check its power.
Fix safety: reboot; sometimes work at the machine.
References: lspci -d 10de: against nvidia-smi -L; /proc/driver/nvidia/gpus/*/information.
"""

from __future__ import annotations

from ongpu.rules.action import Reboot, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus
from ongpu.rules.rule import Hit, Rule, likely, proven

_COUNTED = words(r"\d+ NVIDIA GPUs? on the PCI bus, \d+ in nvidia-smi[^\n]{0,200}")  # a snapshot's own words
_ON_BUS = words(
    r"^\S{1,12}:\S{1,8} (?:VGA compatible controller|3D controller|Processing accelerators?)[^\n]{0,20}: NVIDIA"
)
_GIVEN_AWAY = words("Kernel driver in use: vfio-pci")


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_COUNTED):
        return proven("the driver does not show every GPU that is on the PCI bus", line)
    on_bus = {hit.line.text.split(" ", 1)[0]: hit.line for hit in seen.all(_ON_BUS)}
    listed = {hit.line.text for hit in seen.all(gpus.LISTED)}
    given_away = len(seen.all(_GIVEN_AWAY))  # to virtual machines
    if 0 < len(listed) < len(on_bus) - given_away:
        text = f"{len(on_bus)} NVIDIA GPUs are on the PCI bus and nvidia-smi lists {len(listed)}"
        return likely(text, *list(on_bus.values())[:8])
    return None


RULE = Rule(
    id="HW-016",
    slug="gpu-missing-from-driver",
    severity="critical",
    check=check,
    needs=(
        "system",
        "smi",
    ),
    repair=always(Reboot()),
    fires=(
        "01:00.0 3D controller: NVIDIA Corporation Device 2330 (rev a1)\n41:00.0 3D controller: NVIDIA Corporation Device 2330 (rev a1)\nGPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000001-aaaa-bbbb-cccc-000000000001)",
    ),
    quiet=(
        "01:00.0 3D controller: NVIDIA Corporation Device 2330 (rev a1)\nGPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000001-aaaa-bbbb-cccc-000000000001)",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

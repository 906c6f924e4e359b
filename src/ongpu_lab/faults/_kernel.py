"""What several faults do to the kernel: lines in its log, its modules."""

from __future__ import annotations

import shlex

from ongpu_lab.faults.base import Target

_ADDRESS = ". /usr/lib/ongpu-lab/common.sh\naddress=$(gpus | head -n 1)\nslot=${address%.*}\n"


def say(target: Target, *lines: str, level: int = 3) -> None:
    """Lines in the kernel's log; ADDRESS stands for the first GPU's (0000:01:00.0), SLOT for 0000:01:00."""
    words = " ".join(
        shlex.quote(line).replace("ADDRESS", "'\"$address\"'").replace("SLOT", "'\"$slot\"'") for line in lines
    )
    target.sh(f"{_ADDRESS}/usr/lib/ongpu-lab/kmsg {level} {words}\njournalctl --sync")


def forget(target: Target) -> None:
    """The journal is emptied, as after months: what the kernel said about GPUs is gone."""
    target.sh("journalctl --quiet --rotate --vacuum-size=1 2>/dev/null || :")
    say(target, "random: crng reseeded", level=6)


def unload(target: Target, *, keep_service: bool = False) -> None:
    """Everything that uses the driver is stopped, and its modules are unloaded."""
    target.sh(f"""
systemctl stop nvidia-persistenced.service 2>/dev/null || :
{"" if keep_service else "systemctl stop ollama.service 2>/dev/null || :"}
for module in nvidia_drm nvidia_modeset nvidia_uvm nvidia; do
  [ ! -d /sys/module/$module ] || rmmod $module
done
""")


def load(target: Target) -> None:
    target.sh("modprobe nvidia && modprobe nvidia-uvm")

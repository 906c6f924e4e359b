"""Ollama was started before the driver was loaded and serves from the CPU, though the GPUs work by now."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NO_WAIT = f"/run/systemd/system/{_service.UNIT}.d/99-lab.conf"


def apply(target: Target) -> None:
    _service.require(target)
    target.write(_NO_WAIT, "[Service]\nExecStartPre=\n")  # a boot where nothing waited for the driver
    target.sh(f"""
[ -d /sys/module/nvidia ] || {{ echo "no driver runs on this host yet" >&2; exit 1; }}
systemctl daemon-reload
systemctl stop {_service.UNIT} nvidia-persistenced.service 2>/dev/null || systemctl stop {_service.UNIT}
for module in nvidia_drm nvidia_modeset nvidia_uvm nvidia; do
  [ ! -d /sys/module/$module ] || rmmod $module
done
""")
    _service.start(target)
    target.sh(f"""
modprobe nvidia
modprobe nvidia-uvm
systemctl start nvidia-persistenced.service 2>/dev/null || :
rm -f {_NO_WAIT}
systemctl daemon-reload
""")


def clear(target: Target) -> None:
    target.sh(f"rm -f {_NO_WAIT}")
    _service.restart(target)

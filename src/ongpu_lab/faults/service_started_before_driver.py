"""Ollama was started before the driver was loaded and serves from the CPU, though the GPUs work by now."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, _service
from ongpu_lab.faults.base import Target

CAUSE = "service-older-than-driver"


def apply(target: Target) -> None:
    _service.require(target)
    target.sh('[ -d /sys/module/nvidia ] || { echo "no driver runs on this host yet" >&2; exit 1; }')
    _kernel.unload(target)
    _service.restart_at_once(target)
    _kernel.load(target)
    target.sh("systemctl start nvidia-persistenced.service 2>/dev/null || :")


def clear(target: Target) -> None:
    _service.restart(target)

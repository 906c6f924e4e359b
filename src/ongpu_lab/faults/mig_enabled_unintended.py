"""MIG mode is on, and nobody has made an instance: CUDA finds no device."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, mig="1,1")
    _service.restart(target)


def clear(target: Target) -> None:
    _gpu.take_back(target, "mig")
    _service.restart(target)

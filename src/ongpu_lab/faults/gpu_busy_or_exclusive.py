"""The GPU is in compute mode Exclusive_Process."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, compute_mode="3")
    _service.restart(target)


def clear(target: Target) -> None:
    _gpu.take_back(target, "compute_mode")

"""A GPU with next to no memory: not one layer fits."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _load, _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, memory="500,0,200")
    _service.restart(target)
    _load.load(target)


def clear(target: Target) -> None:
    _gpu.take_back(target, "memory")
    _service.restart(target)

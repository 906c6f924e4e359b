"""A GPU on which the last layers of the model do not fit."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _load, _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, memory="2800,0,200")
    _service.restart(target)
    _load.load(target, num_ctx=2048)


def clear(target: Target) -> None:
    _gpu.take_back(target, "memory")
    _service.restart(target)

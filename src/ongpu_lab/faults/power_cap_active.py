"""The power limit holds the GPU's clocks down."""

from __future__ import annotations

from ongpu_lab.faults import _gpu
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, throttle="0x4")


def clear(target: Target) -> None:
    _gpu.take_back(target, "throttle")

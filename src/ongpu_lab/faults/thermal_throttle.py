"""The GPU is hot and has lowered its clocks."""

from __future__ import annotations

from ongpu_lab.faults import _gpu
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, temperature="93", throttle="0x40")


def clear(target: Target) -> None:
    _gpu.take_back(target, "temperature", "throttle")

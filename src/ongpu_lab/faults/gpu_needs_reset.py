"""The driver asks for a reset of the GPU."""

from __future__ import annotations

from ongpu_lab.faults import _gpu
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, recovery_action="1")


def clear(target: Target) -> None:
    _gpu.take_back(target, "recovery_action")

"""A virtual GPU without a licence."""

from __future__ import annotations

from ongpu_lab.faults import _gpu
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, name="GRID T4-8Q")


def clear(target: Target) -> None:
    _gpu.take_back(target, "name")

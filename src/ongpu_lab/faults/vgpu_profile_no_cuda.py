"""A virtual GPU whose profile has no CUDA."""

from __future__ import annotations

from ongpu_lab.faults import _gpu
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, name="NVIDIA RTXA6000-48A", compute_mode="2")


def clear(target: Target) -> None:
    _gpu.take_back(target, "name", "compute_mode")

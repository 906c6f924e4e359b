"""Somebody has lowered the power limit, and it holds the GPU's clocks down."""

from __future__ import annotations

from ongpu_lab.faults import _gpu
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, power_limit_mw="60000", power_need_mw="110000")


def clear(target: Target) -> None:
    _gpu.take_back(target, "power_limit_mw", "power_need_mw")

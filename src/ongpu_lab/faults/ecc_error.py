"""The GPU's memory has errors that could not be corrected, until the host restarts."""

from __future__ import annotations

from ongpu_lab.faults import _gpu
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _gpu.put(target, ecc="1,1", ecc_uncorrected="3")


def clear(target: Target) -> None:
    _gpu.take_back(target, "ecc", "ecc_uncorrected")

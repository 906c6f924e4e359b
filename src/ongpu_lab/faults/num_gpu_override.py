"""A client asks for three layers on the GPU only (num_gpu)."""

from __future__ import annotations

from ongpu_lab.faults import _load
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _load.fresh(target)
    _load.load(target, num_gpu=3)


def clear(target: Target) -> None:
    _load.fresh(target)

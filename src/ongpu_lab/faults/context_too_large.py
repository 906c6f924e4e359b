"""A client asks for a context that does not fit on the GPU."""

from __future__ import annotations

from ongpu_lab.faults import _load
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _load.fresh(target)
    _load.load(target, num_ctx=131072)


def clear(target: Target) -> None:
    _load.fresh(target)

"""OLLAMA_NUM_PARALLEL=64 multiplies the cache: the next load goes to the CPU in part."""

from __future__ import annotations

from ongpu_lab.faults import _load, _service
from ongpu_lab.faults.base import Target

_NAME = "90-num-parallel-too-high"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "OLLAMA_NUM_PARALLEL=64")
    _load.load(target)


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

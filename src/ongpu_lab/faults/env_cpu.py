"""Somebody's later drop-in hides the GPUs from Ollama: CUDA_VISIBLE_DEVICES=-1."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

CAUSE = "cuda-visible-devices-hides-gpu"
_NAME = "90-local"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "CUDA_VISIBLE_DEVICES=-1")


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

"""GGML_CUDA_ENABLE_UNIFIED_MEMORY=1: models may spill into main memory, and nobody sees it."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NAME = "90-unified-memory-spill"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "GGML_CUDA_ENABLE_UNIFIED_MEMORY=1")


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

"""Ollama's CUDA libraries have no code for the GPU: compute capability 9.9."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, compute_cap="9.9")
    _service.restart(target)


def clear(target: Target) -> None:
    _gpu.take_back(target, "compute_cap")
    _service.restart(target)

"""The GPU is older than anything that Ollama supports: compute capability 3.5."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _gpu.put(target, compute_cap="3.5")
    _service.restart(target)


def clear(target: Target) -> None:
    _gpu.take_back(target, "compute_cap")
    _service.restart(target)

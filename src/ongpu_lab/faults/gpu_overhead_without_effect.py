"""OLLAMA_GPU_OVERHEAD is set, which this release does not look at any more."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NAME = "90-gpu-overhead-without-effect"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "OLLAMA_GPU_OVERHEAD=536870912")


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

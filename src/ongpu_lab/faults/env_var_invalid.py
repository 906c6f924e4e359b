"""Somebody's drop-in gives OLLAMA_NUM_PARALLEL a value that is no number."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NAME = "90-env-var-invalid"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "OLLAMA_NUM_PARALLEL=lots")


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

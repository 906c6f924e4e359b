"""LLAMA_ARG_FIT_TARGET keeps so much of the GPU free that a model does not fit."""

from __future__ import annotations

from ongpu_lab.faults import _load, _service
from ongpu_lab.faults.base import Target

_NAME = "90-fit-target-too-large"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "LLAMA_ARG_FIT_TARGET=7168")
    _load.load(target)


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

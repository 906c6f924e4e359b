"""LLAMA_ARG_DEVICE=none in the service's environment gives the runner no GPU."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NAME = "91-device"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "LLAMA_ARG_DEVICE=none")


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

"""A batch scheduler's variables for AMD GPUs are in the service's environment."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NAME = "90-scheduler"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "ROCR_VISIBLE_DEVICES=0 GPU_DEVICE_ORDINAL=0")


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

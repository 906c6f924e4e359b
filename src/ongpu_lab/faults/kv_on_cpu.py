"""LLAMA_ARG_NO_KV_OFFLOAD=1 in the service's environment keeps the KV cache in RAM."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NAME = "91-kv"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "LLAMA_ARG_NO_KV_OFFLOAD=1")


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

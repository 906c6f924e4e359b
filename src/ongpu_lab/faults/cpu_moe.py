"""LLAMA_ARG_CPU_MOE=1 in the service's environment keeps the experts of MoE models on the CPU."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

CAUSE = "llama-arg-override"
_NAME = "91-moe"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "LLAMA_ARG_CPU_MOE=1")


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

"""CUDA cannot initialise (error 3), until nvidia_uvm is loaded anew."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _service
from ongpu_lab.faults.base import Target

_NAME = "90-debug"  # only the debug log tells the code


def apply(target: Target) -> None:
    _gpu.cuda_answers(target, 3)
    _service.drop_in(target, _NAME, "OLLAMA_DEBUG=1")


def clear(target: Target) -> None:
    _gpu.cuda_answers(target, 0)
    _service.remove_drop_in(target, _NAME)

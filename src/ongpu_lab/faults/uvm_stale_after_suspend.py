"""The machine was suspended: since it woke up CUDA fails with an unknown error, until nvidia_uvm is loaded anew."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _kernel, _service
from ongpu_lab.faults.base import Target

_NAME = "90-debug"  # only the debug log tells the code


def apply(target: Target) -> None:
    _kernel.say(target, "PM: suspend entry (deep)", level=6)
    _kernel.say(target, "PM: suspend exit", level=6)
    _gpu.cuda_answers(target, 999)
    _service.drop_in(target, _NAME, "OLLAMA_DEBUG=1")


def clear(target: Target) -> None:
    _gpu.cuda_answers(target, 0)
    _kernel.forget(target)
    _service.remove_drop_in(target, _NAME)

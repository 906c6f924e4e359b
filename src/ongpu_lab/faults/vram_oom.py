"""The GPU runs out of memory while a model is loaded."""

from __future__ import annotations

from ongpu_lab.faults import _load, _service
from ongpu_lab.faults.base import Target

_SAYS = (
    "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 2048.00 MiB on device 0: cudaMalloc failed: out of memory"
)


def apply(target: Target) -> None:
    target.knob(_service.KNOBS, "load", "crash_message", _SAYS)
    _service.knob(target, "load", "crash", "1")
    _load.load(target, may_fail=True)


def clear(target: Target) -> None:
    target.knob(_service.KNOBS, "load", "crash_message", None)
    _service.knob(target, "load", "crash", None)

"""The runner does not know the architecture of the model."""

from __future__ import annotations

from ongpu_lab.faults import _load, _service
from ongpu_lab.faults.base import Target

_SAYS = "llama_model_load: error loading model: error loading model architecture: unknown model architecture: 'llama9'"


def apply(target: Target) -> None:
    target.knob(_service.KNOBS, "load", "crash_message", _SAYS)
    _service.knob(target, "load", "crash", "1")
    _load.load(target, may_fail=True)


def clear(target: Target) -> None:
    target.knob(_service.KNOBS, "load", "crash_message", None)
    _service.knob(target, "load", "crash", None)

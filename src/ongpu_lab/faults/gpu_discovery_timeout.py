"""The GPUs take longer to answer than Ollama's search for them waits."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _service.require(target)
    target.knob(_service.KNOBS, "discovery", "timeout", "1")
    _service.knob(target, "discovery", "delay", "2")


def clear(target: Target) -> None:
    target.knob(_service.KNOBS, "discovery", "timeout", None)
    _service.knob(target, "discovery", "delay", None)

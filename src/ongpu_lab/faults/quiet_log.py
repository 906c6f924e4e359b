"""The runner's output is lost: Ollama's journal has no lines about the next loads."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _service.knob(target, "load", "quiet", "yes")


def clear(target: Target) -> None:
    _service.knob(target, "load", "quiet", None)

"""The next loads say "all on the GPU" in API and log, but hold no GPU memory."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _service.knob(target, "load", "silent_cpu", "yes")


def clear(target: Target) -> None:
    _service.knob(target, "load", "silent_cpu", None)

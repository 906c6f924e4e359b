"""Ollama is stopped."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _service.require(target)
    target.sh(f"systemctl stop {_service.UNIT}")


def clear(target: Target) -> None:
    _service.start(target)

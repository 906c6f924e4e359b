"""The driver's modules are not loaded, as after a boot at which nothing loaded them."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _kernel.unload(target)
    _service.restart_at_once(target)


def clear(target: Target) -> None:
    _kernel.load(target)
    _service.restart(target)

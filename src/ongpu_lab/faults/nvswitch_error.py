"""An NVSwitch reports a fatal error."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, _service
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _kernel.say(
        target,
        "nvidia-nvswitch3: SXid (PCI:0000:89:00.0): 20034, Fatal, Link 30 LTSSM Fault Up",
    )


def clear(target: Target) -> None:
    _kernel.forget(target)
    _service.restart(target)

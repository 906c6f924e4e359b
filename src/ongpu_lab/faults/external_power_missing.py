"""The GPU's power cables are not connected."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, _service
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _kernel.say(
        target,
        "NVRM: GPU ADDRESS: GPU does not have the necessary power cables connected.",
    )


def clear(target: Target) -> None:
    _kernel.forget(target)
    _service.restart(target)

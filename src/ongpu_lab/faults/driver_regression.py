"""The driver runs and finds no device, as with a branch that does not work with the GPU."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    target.sh("[ -e /run/ongpu-lab/module/bound ] || exit 1\n: >/run/ongpu-lab/module/bound")
    _service.restart(target)  # the host was restarted for it


def clear(target: Target) -> None:
    target.ask("reboot")

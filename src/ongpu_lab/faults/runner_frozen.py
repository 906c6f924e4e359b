"""The runner of each loaded model is frozen: it holds its memory and answers nothing."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    target.sh("pkill -STOP -x llama-server || { echo 'no model is loaded' >&2; exit 1; }")


def clear(target: Target) -> None:
    target.sh("pkill -CONT -x llama-server || :")
    _service.restart(target)

"""The runner of each loaded model is killed: Ollama goes on listing it as loaded."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    target.sh("pkill -KILL -x llama-server || { echo 'no model is loaded' >&2; exit 1; }")


def clear(target: Target) -> None:
    _service.restart(target)

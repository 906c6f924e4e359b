"""Without nvidia-persistenced the GPUs take longer to wake than Ollama's search for them waits."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _service.require(target)
    target.sh("systemctl --quiet disable --now nvidia-persistenced.service")
    target.knob(_service.KNOBS, "discovery", "timeout", "1")
    _service.knob(target, "discovery", "wake", "2")


def clear(target: Target) -> None:
    target.knob(_service.KNOBS, "discovery", "timeout", None)
    target.sh("systemctl --quiet enable --now nvidia-persistenced.service || :")
    _service.knob(target, "discovery", "wake", None)

"""Another program holds most of the GPU's memory, and Ollama was started beside it."""

from __future__ import annotations

from ongpu_lab.faults import _gpu, _load, _service
from ongpu_lab.faults.base import Target

_SECTION, _KEY = "gpu0", "process"


def apply(target: Target) -> None:
    _service.require(target)
    target.sh("systemctl --quiet is-active lab-neighbour || systemd-run --quiet --unit lab-neighbour sleep infinity")
    pid = target.sh("systemctl show --property MainPID --value lab-neighbour").strip()
    target.knob(_gpu.INI, _SECTION, _KEY, f"{pid}, 6000, python3")
    _service.restart(target)
    _load.load(target)


def clear(target: Target) -> None:
    target.knob(_gpu.INI, _SECTION, _KEY, None)
    target.sh("systemctl stop lab-neighbour 2>/dev/null || :")
    _service.restart(target)

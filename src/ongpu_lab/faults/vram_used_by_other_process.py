"""Another program holds most of the GPU's memory, and Ollama was started beside it."""

from __future__ import annotations

from ongpu_lab.faults import _load, _service
from ongpu_lab.faults.base import Target


def apply(target: Target) -> None:
    _service.require(target)
    target.sh("systemctl --quiet is-active lab-neighbour || systemd-run --quiet --unit lab-neighbour sleep infinity")
    target.sh("""
pid=$(systemctl show --property MainPID --value lab-neighbour)
set -- $(cut -d ')' -f 2- "/proc/$pid/stat")
printf 'start %s\\n0 6000 python3\\n' "${20}" >"/run/ongpu-lab/procs/$pid"
""")
    _service.restart(target)
    _load.load(target)


def clear(target: Target) -> None:
    target.sh("systemctl stop lab-neighbour 2>/dev/null || :")
    _service.restart(target)

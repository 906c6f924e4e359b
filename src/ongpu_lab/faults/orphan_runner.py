"""The server was killed and its runner lives on, holding GPU memory."""

from __future__ import annotations

from ongpu_lab.faults import _load, _service
from ongpu_lab.faults.base import Target

_FILE = f"/etc/systemd/system/{_service.UNIT}.d/90-kill.conf"


def apply(target: Target) -> None:
    _service.require(target)
    target.write(_FILE, "[Service]\nKillMode=process\n")
    _service.restart(target)
    _load.load(target)
    target.sh("kill -KILL $(systemctl show --property MainPID --value ollama.service); sleep 4")
    _service.start(target)


def clear(target: Target) -> None:
    target.sh(f"rm -f {_FILE}; pkill -KILL -x llama-server || :")
    _service.restart(target)

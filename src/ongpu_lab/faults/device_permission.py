"""A hardened unit: PrivateDevices=yes hides the GPU's device nodes from the service."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_FILE = f"/etc/systemd/system/{_service.UNIT}.d/90-hardening.conf"


def apply(target: Target) -> None:
    _service.require(target)
    target.write(_FILE, "[Service]\nPrivateDevices=yes\nDevicePolicy=closed\n")
    _service.restart_at_once(target)


def clear(target: Target) -> None:
    target.sh(f"rm -f {_FILE}")
    _service.restart(target)

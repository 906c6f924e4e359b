"""A tool's file in /etc/modprobe.d forbids the driver's module, and it is not loaded."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, _service
from ongpu_lab.faults.base import Target

_FILE = "/etc/modprobe.d/blacklist-nvidia.conf"


def apply(target: Target) -> None:
    _kernel.unload(target)
    target.write(_FILE, "blacklist nvidia\ninstall nvidia /bin/false\n")


def clear(target: Target) -> None:
    target.sh(f"rm -f {_FILE}")
    _kernel.load(target)
    _service.start(target)

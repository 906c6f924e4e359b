"""SELinux denies the service access to the GPU."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, _service
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True


def apply(target: Target) -> None:
    _kernel.say(
        target,
        'audit: type=1400 audit(1795500000.101:88): avc:  denied  { read write } for  pid=812 comm="ollama" '
        'path="/dev/nvidiactl" dev="devtmpfs" tclass=chr_file permissive=0',
    )


def clear(target: Target) -> None:
    _kernel.forget(target)
    _service.restart(target)

"""SELinux denies the service access to the GPU, until its boolean container_use_devices is on."""

from __future__ import annotations

from ongpu_lab.faults import _kernel, _service
from ongpu_lab.faults.base import Target

ENDS_WITH_START = True
_COMMAND = "/usr/sbin/setsebool"
_PROGRAM = f"""\
#!/bin/sh
# setsebool, which knows one boolean
[ "$*" = "-P container_use_devices on" ] || {{ echo "setsebool: the lab knows no $*" >&2; exit 1; }}
sed -i '/^find = nothing$/d' {_service.KNOBS}
"""


def apply(target: Target) -> None:
    target.write(_COMMAND, _PROGRAM)
    target.sh(f"chmod 0755 {_COMMAND}")
    _service.knob(target, "discovery", "find", "nothing")
    _kernel.say(
        target,
        'audit: type=1400 audit(1795500000.101:88): avc:  denied  { read write } for  pid=812 comm="ollama" '
        'path="/dev/nvidiactl" dev="devtmpfs" tclass=chr_file permissive=0',
    )


def clear(target: Target) -> None:
    target.sh(f"rm -f {_COMMAND}")
    _kernel.forget(target)
    _service.knob(target, "discovery", "find", None)

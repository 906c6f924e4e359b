"""A virtual GPU without a licence: there is no client token. nvidia-gridd gets one when it is started with a token."""

from __future__ import annotations

from ongpu_lab.faults import _gpu
from ongpu_lab.faults.base import Target

_TOKENS, _DAEMON = "/etc/nvidia/ClientConfigToken", "/usr/bin/nvidia-gridd"
_UNIT = "/etc/systemd/system/nvidia-gridd.service"
_PROGRAM = f"""\
#!/bin/sh
# The licence daemon of a vGPU guest: any token is good.
set -- {_TOKENS}/*.tok
[ -e "$1" ] || {{ echo "Failed to acquire license: no client configuration token" >&2; exit 0; }}
for file in /run/ongpu-lab/set/*.license; do echo "Licensed (Expiry: 2099-1-1 0:0:0 GMT)" >"$file"; done
"""
_TEXT = f"""\
[Unit]
Description=NVIDIA Grid Daemon
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={_DAEMON}
"""


def apply(target: Target) -> None:
    target.write(_DAEMON, _PROGRAM)
    target.write(_UNIT, _TEXT)
    _gpu.put(target, name="GRID T4-8Q", license="Unlicensed (Unrestricted)")
    target.sh(f"chmod 0755 {_DAEMON}; mkdir -p {_TOKENS}; systemctl daemon-reload; systemctl start nvidia-gridd")


def clear(target: Target) -> None:
    target.sh(f"systemctl stop nvidia-gridd || :; rm -rf {_TOKENS} {_DAEMON} {_UNIT}; systemctl daemon-reload")
    _gpu.take_back(target, "name", "license")

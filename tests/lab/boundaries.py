"""Kills what a run does on a host between two of its commands.

Programs that change a host are wrapped in /usr/local/sbin, which is first in sudo's path. A wrapper counts the calls
that come from a run's steps, and at the chosen one kills everything that the controller has started on the host, before
the program is called: as the loss of the connection and of all processes at once, but not of what systemd runs.
"""

from __future__ import annotations

from tests.lab.machines import Host

PROGRAMS = (
    *("apt-get", "apt-mark", "dkms", "dpkg", "modprobe", "rmmod", "depmod", "ldconfig", "systemctl", "nvidia-smi"),
    *("mv", "rm", "mkdir", "cp", "ln", "install", "chmod", "chown", "tar", "zstd", "curl", "useradd", "usermod"),
)
# Steps carry NEEDRESTART_MODE in their environment (engine/steps.py); a look at the host does not. What the lab does in
# the kernel's place is one act.
_WRAPPER = r"""#!/bin/sh
name=${0##*/}
real=$(PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v "$name")
case $(tr '\000' ' ' </proc/$PPID/cmdline) in */ongpu-lab/* | */modprobe\ * | */rmmod\ *) NEEDRESTART_MODE= ;; esac
if [ -n "$NEEDRESTART_MODE" ] && [ -e /run/boundary/at ]; then
  read -r at </run/boundary/at
  count=0
  [ ! -e /run/boundary/count ] || read -r count </run/boundary/count
  echo $((count + 1)) >/run/boundary/count
  echo "$((count + 1)) $name $*" >>/run/boundary/calls
  [ $((count + 1)) != "$at" ] || /usr/bin/systemctl kill --signal=KILL 'session-*.scope'
fi
exec "$real" "$@"
"""


def arm(host: Host, at: int) -> None:
    """The next run is cut off at its `at`-th command; 0 = it is only counted."""
    host.out(
        f"cat >/run/wrapper <<'END'\n{_WRAPPER}END\n"
        f"for name in {' '.join(PROGRAMS)}; do install -m 755 /run/wrapper /usr/local/sbin/$name; done; "
        f"rm -rf /run/boundary; mkdir /run/boundary; echo {at} >/run/boundary/at"
    )


def disarm(host: Host) -> None:
    host.out(f"rm -rf /run/boundary; cd /usr/local/sbin && rm -f {' '.join(PROGRAMS)}")


def count(host: Host) -> int:
    """How many commands the run has reached since `arm`."""
    return int(host.run("cat /run/boundary/count").stdout.strip() or 0)


def last_call(host: Host) -> str:
    """`17 rmmod nvidia_uvm`"""
    return host.run("tail -n 1 /run/boundary/calls").stdout.strip()

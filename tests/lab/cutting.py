"""Runs that are killed with -9 at an exact place: the controller at its N-th command on the host, or everything that
runs on the host for it before its N-th command that changes something.

As a program, `python -m tests.lab.cutting after|during N ARGUMENTS` is `ongpu ARGUMENTS` that kills itself after its
N-th command has ended, or soon after it was sent; it ends by itself where there are fewer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tests.lab.fleets import TOP, Controller
from tests.lab.machines import Host

SOON = 0.4  # seconds in which the host begins with a command that was sent

# Debian's sudo looks into /usr/local/bin first. bash can be told to do something before each command, dash cannot.
_SHELL = r"""
mkdir -p /run/cut
cat >/usr/local/bin/sh <<'END'
#!/bin/bash
[ -e /run/cut/at ] || exec /bin/sh "$@"
BASH_ENV=/run/cut/before-each; export BASH_ENV
exec /bin/bash "$@"
END
chmod 755 /usr/local/bin/sh
cat >/run/cut/before-each <<'END'
_cut() {
  [ "$EUID" = 0 ] && [ -e /run/cut/at ] || return 0
  case $1 in
    *'"$new/files'* | */run/cut*) return 0 ;;
    'systemctl show'* | 'systemctl is-'* | 'systemctl --quiet is-'* | 'systemctl reset'*) return 0 ;;
    mv\ * | ln\ * | rm\ * | cp\ * | chmod\ * | chown\ * | install\ * | systemctl\ * | useradd\ * | usermod\ *) ;;
    tar\ * | said=*tar\ * | http=*curl\ * | ask\ *--data* | curl\ *--data* | curl\ *--output*) ;;
    printf\ *\>\ [\"\$/]* | cat\ *\>\ [\"\$/]*) ;;
    *) return 0 ;;
  esac
  read -r _n </run/cut/count; _n=$((_n + 1)); echo $_n >/run/cut/count
  printf '%s %s\n' "$_n" "${1%%$'\n'*}" >>/run/cut/log
  read -r _at </run/cut/at
  [ "$_n" != "$_at" ] || { touch /run/cut/done; pkill -KILL -s "$(ps -o sid= -p $$ | tr -d ' ')"; }
}
set -T
trap '_cut "$BASH_COMMAND"' DEBUG
END
"""


def prepare(host: Host) -> None:
    """Root's shells on this host can be cut off from now on."""
    host.out(_SHELL)


def controller(on: Controller, when: str, number: int, *words: str) -> bool:
    """Runs `ongpu WORDS`; False: it ended before its `number`-th command."""
    argv = [sys.executable, "-m", "tests.lab.cutting", when, str(number), *words, "-i", "inventory.py"]
    argv += ["--history", str(on.inventory.parent / "history")]
    environment = {**os.environ, "ONGPU_INVENTORY": str(on.inventory)}
    done = subprocess.run(
        argv, cwd=TOP, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (-signal.SIGKILL, 0, 2, 3, 4), f"no clear end: {done.returncode}\n{done.stderr}"
    return done.returncode < 0


def shell(on: Controller, host: Host, number: int, *words: str) -> str:
    """Runs `ongpu WORDS` while the host's shells die before changing something for the `number`-th time; before which
    command that was. Empty: there were fewer."""
    host.out(f"rm -f /run/cut/log /run/cut/done; echo 0 >/run/cut/count; echo {number} >/run/cut/at")
    done = on.ongpu(*words)
    assert done.returncode in (0, 2, 3, 4), f"no clear end: {done.returncode}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    host.out("rm -f /run/cut/at")
    return host.out("[ ! -e /run/cut/done ] || tail -n 1 /run/cut/log")


def _killing(ask: Callable[..., Any], when: str, number: int) -> Callable[..., Any]:
    import gevent

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    sent = 0

    def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal sent
        sent += 1
        if sent == number and when == "during":
            gevent.spawn_later(SOON, die)
        answer = ask(*arguments, **more)
        if sent == number:
            die()
        return answer

    return counted


def _main(when: str, number: str, *words: str) -> None:
    import pyinfra_cli  # noqa: F401 - patches the standard library for gevent: before paramiko is imported
    from pyinfra.api.host import Host as PyinfraHost

    from ongpu.cli.main import main

    PyinfraHost.run_shell_command = _killing(PyinfraHost.run_shell_command, when, int(number))  # type: ignore[method-assign]
    sys.argv = ["ongpu", *words]
    main()


if __name__ == "__main__":
    _main(*sys.argv[1:])

"""What pyinfra and paramiko do wrong in a way that operators would see. Applied when the engine is imported."""

from __future__ import annotations

import contextlib
import logging
import os
import select  # gevent's, once it is patched
import sys
import traceback
from functools import cache
from typing import TYPE_CHECKING, Any

import pyinfra.connectors.util
import pyinfra_cli  # noqa: F401 - patches the standard library for gevent: before paramiko is imported
from paramiko import proxy
from paramiko.hostkeys import HostKeyEntry, HostKeys
from paramiko.ssh_exception import ProxyCommandFailure, SSHException

from ongpu.errors import HostError

if TYPE_CHECKING:
    from pyinfra.api.state import State

_PYINFRA: str = pyinfra.api.util.PYINFRA_INSTALL_DIR


def mend_proxy_commands() -> None:
    """ProxyCommand and ProxyJump, paramiko 4.0 (paramiko/proxy.py).

    - `recv` takes the end of the proxy's output for "nothing yet" and reads it again, for ever and without a pause:
      a host that goes down in the middle of a command would hang the run.
    - `send` says that all was written when the pipe took only a part of it, as it does of more than it has room for:
      the rest is lost, and sshd ends the connection ("Corrupted MAC on input").
    - `close` raises ProcessLookupError for a proxy that has ended: a traceback after all is said.
    """
    proxy.ProxyCommand.recv = _recv  # type: ignore[method-assign]
    proxy.ProxyCommand.send = _send  # type: ignore[method-assign, assignment]
    proxy.ProxyCommand.close = _close  # type: ignore[method-assign]


def _recv(self: Any, size: int) -> bytes:
    """As a socket's: what is there, empty at the end, TimeoutError when nothing came in time."""
    try:
        ready, _, _ = select.select([self.process.stdout], [], [], self.timeout)
        if ready:
            return os.read(self.process.stdout.fileno(), size)
    except (OSError, ValueError) as error:
        raise ProxyCommandFailure(" ".join(self.cmd), str(error)) from error
    raise TimeoutError


def _send(self: Any, content: bytes) -> int:
    """All of it."""
    pipe, left = self.process.stdin.fileno(), memoryview(content)
    try:
        os.set_blocking(pipe, False)
        while left:
            select.select([], [pipe], [])
            with contextlib.suppress(BlockingIOError):
                left = left[os.write(pipe, left) :]
    except (OSError, ValueError) as error:
        raise ProxyCommandFailure(" ".join(self.cmd), str(error)) from error
    return len(content)


def _close(self: Any) -> None:
    with contextlib.suppress(ProcessLookupError):
        self.process.terminate()


def never_ask_for_passwords() -> None:
    """Where sudo wants a password, pyinfra 3.10 asks for it on the terminal, host by host, or fails with an EOFError
    without one (connectors/util.py). A check that cron runs must do the same on a terminal: say so, and go on."""

    def refuse(prompt: str = "", stream: object = None) -> str:
        raise HostError("sudo: a password is required")

    vars(pyinfra.connectors.util)["getpass"] = refuse


def order_operations_without_reading_sources() -> None:
    """pyinfra 3.10 orders operations by the line numbers on the call stack, and asks `inspect` for each frame's source
    too, which looks through every loaded module (api/util.py): two fifths of a deploy's CPU time. The same numbers
    come from the frames alone."""
    # `pyinfra.api.operation` names the function; the module is found under its full name only.
    vars(sys.modules["pyinfra.api.operation"])["get_operation_order_from_stack"] = _order


def _order(state: State) -> list[int]:
    frames = list(traceback.walk_stack(sys._getframe(1)))[::-1]
    files = [frame.f_code.co_filename for frame, _ in frames]
    named = state.current_deploy_filename
    start = files.index(named) if named in files else (len(files) if named else 0)
    outside = [
        line for (_, line), file in zip(frames[start:], files[start:], strict=True) if not file.startswith(_PYINFRA)
    ]
    return [*([state.current_op_file_number] if pyinfra.is_cli else []), *outside]


def keep_argument_types() -> None:
    """pyinfra 3.10 works out the types of its global arguments anew for each operation on each host
    (api/arguments.py): an eighth of what is left of a deploy's CPU time."""
    arguments = vars(sys.modules["pyinfra.api.arguments"])
    if not hasattr(arguments["all_global_arguments"], "cache_info"):
        arguments["all_global_arguments"] = cache(arguments["all_global_arguments"])


def load_known_hosts_once() -> None:
    """paramiko 4.0 holds each line of known_hosts against all lines before it (hostkeys.py): a second for 1,000 hosts,
    half a minute for 5,000. Of two keys of one kind the first counts, whether or not it is there twice."""
    HostKeys.load = _load  # type: ignore[method-assign, assignment]


def _load(self: Any, filename: str) -> None:
    """Raises OSError. A line that is none is left out, as before."""
    with open(filename) as file:
        for number, line in enumerate(file, 1):
            if not (text := line.strip()) or text.startswith("#"):
                continue
            with contextlib.suppress(SSHException):
                if entry := HostKeyEntry.from_line(text, number):
                    self._entries.append(entry)


mend_proxy_commands()
order_operations_without_reading_sources()
keep_argument_types()
load_known_hosts_once()
# It logs the traceback of every host that is down; pyinfra and ongpu say the same in one line.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

"""Run one script on a pyinfra host: sent on standard input, with the operation's own sudo and connection settings.

Why not `host.get_fact`: it drops standard error, which is the reason when sudo, a quota or a missing shell is
in the way, and it cannot tell a time-out from a refusal (docs/design.md, "pyinfra").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pyinfra_cli  # noqa: F401 - patches the standard library for gevent: before paramiko is imported
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.command import StringCommand

from ongpu.engine import workarounds as workarounds
from ongpu.engine.alive import watched
from ongpu.engine.answer import Answer, reason
from ongpu.errors import OngpuError

if TYPE_CHECKING:
    from pyinfra.api.host import Host

__all__ = ["Answer", "run_script"]


def _connector_arguments(host: Host) -> dict[str, Any]:
    # Raw commands do not inherit _sudo & co: inside an operation they are the operation's, else the host's data.
    found = cast("dict[str, Any]", host.current_op_global_arguments)
    if not found:
        found = cast("dict[str, Any]", pop_global_arguments(host.state, host, {})[0])
    return {key: value for key, value in found.items() if key in CONNECTOR_ARGUMENT_KEYS}


def run_script(host: Host, script: str, seconds: int) -> Answer:
    """Run a POSIX sh script on the host in one exec. Never raises for anything that the host or network does."""
    arguments = _connector_arguments(host) | {"_stdin": script, "_timeout": seconds, "_success_exit_codes": None}
    with watched(host) as watch:
        try:
            ok, output = host.run_shell_command(StringCommand("sh", "-s"), **arguments)
        except TimeoutError:
            return Answer("", watch.reason or f"no answer within {seconds} s")
        except Exception as error:  # noqa: BLE001 - paramiko, sockets, sudo prompts without a terminal: all one host's
            return Answer("", watch.reason or _in_words(error))
    if watch.reason:
        return Answer(output.stdout, watch.reason)
    if not ok and _is_closed(host):
        return Answer(output.stdout, "the connection was closed by the host")
    failure = "" if ok else reason(output.stdout, output.stderr)
    return Answer(output.stdout, failure)


def _is_closed(host: Host) -> bool:
    """Only SSH connections tell."""
    client = getattr(host.connector, "client", None)
    transport = client.get_transport() if client is not None else None
    return transport is not None and not transport.is_active()


def _in_words(error: Exception) -> str:
    if isinstance(error, OngpuError):
        return str(error)
    if isinstance(error, EOFError):
        return "the connection was closed, or sudo asked for a password and there is no terminal to ask on"
    return f"{type(error).__name__}: {error}".rstrip(": ")

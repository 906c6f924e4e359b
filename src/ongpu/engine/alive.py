"""Notice that a host is gone while a command runs on it. TCP alone waits a quarter of an hour, or for ever.

As OpenSSH's ServerAliveInterval: a request that every server answers (RFC 4254 section 4: with a refusal, if it does
not know it), in the open connection, only while a command takes long. It is no command: sshd starts nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gevent
import pyinfra_cli  # noqa: F401 - patches the standard library for gevent: before paramiko is imported

if TYPE_CHECKING:
    from pyinfra.api.host import Host

INTERVAL = 15.0  # seconds between two questions
PATIENCE = 45.0  # seconds that an answer may take: a host that compiles a kernel module is slow, not gone


@dataclass(slots=True)
class Watch:
    """`reason` = why the connection was given up, in words; empty while the host answers."""

    reason: str = ""


@contextmanager
def watched(host: Host) -> Iterator[Watch]:
    """While the block runs, the host is asked; when it does not answer, its connection is closed, which ends whatever
    waits for it. Connectors without SSH are not watched."""
    watch = Watch()
    client = getattr(host.connector, "client", None)
    if client is None:
        yield watch
        return
    asking = gevent.spawn(_ask, client, watch)
    try:
        yield watch
    finally:
        asking.kill()


def _ask(client: Any, watch: Watch) -> None:
    while True:
        gevent.sleep(INTERVAL)
        transport = client.get_transport()
        if transport is None or not transport.is_active():
            return  # whoever waits on it is told so
        answered = False
        with gevent.Timeout(PATIENCE, False):
            transport.global_request("keepalive@openssh.com", wait=True)
            answered = True
        if not answered:
            watch.reason = f"the host does not answer any more (asked in the open connection for {PATIENCE:.0f} s)"
            client.close()
            return

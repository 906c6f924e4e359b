"""Open and close one host's connection, and say in words why it did not open."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pyinfra.api.exceptions import ConnectError

if TYPE_CHECKING:
    from pyinfra.api.host import Host

log = logging.getLogger("ongpu")

# How pyinfra 3.10 begins its ConnectError texts (connectors/ssh.py), and what an operator needs to hear.
_KINDS = (
    ("Authentication error", "authentication failed (wrong user or key)"),
    ("SSH host key error", "the host key is not the one in known_hosts"),
    ("Could not resolve hostname", "the host name cannot be resolved"),
    ("EOF error", "the connection was closed during the handshake"),
)


def connect(host: Host) -> str:
    """Connects; the reason in words when that fails, else empty."""
    pyinfra_log = logging.getLogger("pyinfra")
    try:
        host.connect(show_errors=False, raise_exceptions=True)
    except ConnectError as error:
        return in_words(str(error))
    except Exception as error:  # noqa: BLE001 - a broken ssh_config or key file raises anything
        pyinfra_log.debug("connect", exc_info=True)
        return f"unreachable: {type(error).__name__}: {error}".rstrip(": ")
    return ""


def in_words(text: str) -> str:
    """`SSH error (Error reading SSH protocol banner)` -> `unreachable: Error reading SSH protocol banner`."""
    lower = text.lower()
    for start, words in _KINDS:
        if text.startswith(start):
            return words
    if "not found in known_hosts" in lower or "no host key" in lower or "host key" in lower:
        return f"the host key is not known: {text}"
    return f"unreachable: {text}"


def disconnect(host: Host) -> None:
    """Closes the connection for real: pyinfra 3.10 keeps the SSH client's socket open until the process ends."""
    client = getattr(host.connector, "client", None)
    try:
        if client is not None:
            client.close()
    except Exception:
        log.debug("disconnect %s", host.name, exc_info=True)
    host.connected = False

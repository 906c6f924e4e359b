"""Why a host could not be looked at, as one of a few words: what monitoring groups and alerts by."""

from __future__ import annotations

import re
from typing import Literal

from ongpu.host.result import HostResult, Unknown

Kind = Literal["name", "unreachable", "authentication", "host key", "timeout", "sudo", "inventory", "bug", "shell"]

# How the sentences of ongpu.fleet.connect, ongpu.fleet.session and ongpu.engine.remote begin.
_BEGINNINGS: tuple[tuple[str, Kind], ...] = (
    ("authentication failed", "authentication"),
    ("the host key is", "host key"),
    ("the host name cannot be resolved", "name"),
    ("unreachable", "unreachable"),
    ("the connection was closed", "unreachable"),
    ("the host does not answer any more", "unreachable"),
    ("no answer within", "timeout"),
    ("not done within", "timeout"),
    ("ongpu bug", "bug"),
)
# SSHException: Timeout opening channel.     ConnectionResetError: [Errno 104] Connection reset by peer
_LOST = re.compile(
    r"(?:SSHException|ChannelException|ProxyCommandFailure|Connection\w*Error|BrokenPipeError|OSError)\b"
)
_ALLOW: dict[Kind, str] = {
    "authentication": "put the key of this controller's user into the host's authorized_keys",
    "host key": "compare the host's key with `ssh-keyscan`, then put it into known_hosts",
    "sudo": "allow the user to run `sudo -n sh`, or connect as root",
    "timeout": "see what hangs there, or allow more time with --timeout",
}


def kind_of(sentence: str) -> Kind:
    """`shell`: we were let in, but what answered was not our script."""
    for beginning, kind in _BEGINNINGS:
        if sentence.startswith(beginning):
            return kind
    if _LOST.match(sentence):
        return "unreachable"
    return "sudo" if "sudo" in sentence.lower() else "shell"


def unseen(name: str, sentence: str, kind: Kind | None = None) -> HostResult:
    """The result of a host that was not looked at: unknown, never healthy, with the kind of trouble named."""
    kind = kind or kind_of(sentence)
    unknown = Unknown(what=kind, why=sentence, allow=_ALLOW.get(kind, ""))
    return HostResult(host=name, verdict="unknown", summary=sentence, error=sentence, unknowns=(unknown,))

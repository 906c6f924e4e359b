from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from ongpu.fleet.reading import settings, ssh_config
from tests.fleet.reading.servers import Handler, Server, shell


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with a key that servers know, and nothing else; no agent."""
    place = tmp_path / "home"
    (place / ".ssh").mkdir(parents=True, mode=0o700)
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(str(place / ".ssh" / "id_ed25519"))
    key.write_public_key(str(place / ".ssh" / "id_ed25519.pub"))
    key.write_public_key(str(tmp_path / "authorized_keys"))
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for remembered in (settings._known_hosts, settings._loaded, settings._parse, ssh_config._file):
        remembered.cache_clear()  # type: ignore[attr-defined]
    return place


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """`server()`: an SSH server that runs commands here; `server(handler)`: one that does what the handler says."""
    started: list[Server] = []

    def start(handler: Handler = shell) -> Server:
        started.append(Server(tmp_path, handler).start())
        known = "".join(one.known for one in started)
        (home / ".ssh" / "known_hosts").write_text(known)
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def data() -> Callable[..., dict[str, Any]]:
    """pyinfra host data that lead to a server."""
    return lambda server, **more: {"ssh_hostname": "127.0.0.1", "ssh_port": server.port, "ssh_user": "ops", **more}

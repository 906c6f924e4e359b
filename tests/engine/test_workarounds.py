"""paramiko's way through a ProxyCommand, with what ongpu mends in it."""

from __future__ import annotations

import hashlib

import pytest
from paramiko.proxy import ProxyCommand
from paramiko.ssh_exception import ProxyCommandFailure

import ongpu.engine.workarounds  # noqa: F401 - mends it


def test_more_than_a_pipe_holds_arrives_whole() -> None:
    content = bytes(range(256)) * 8000
    command = ProxyCommand("sh -c 'sleep 0.2; head -c 2048000 | sha256sum'")
    command.settimeout(20)
    assert command.send(content) == len(content)
    assert command.recv(64).decode() == hashlib.sha256(content).hexdigest()
    command.close()


def test_a_proxy_that_is_gone_is_an_error() -> None:
    command = ProxyCommand("true")
    command.process.wait()
    with pytest.raises(ProxyCommandFailure):
        command.send(b"x" * 10)
    command.close()

"""A host that goes away in the middle of a command ends the wait, and says so."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import gevent
import pyinfra_cli  # noqa: F401 - patches the standard library for gevent, as the product does
import pytest
from paramiko.proxy import ProxyCommand
from paramiko.ssh_exception import ProxyCommandFailure

from ongpu.engine import alive, workarounds


class Client:
    """An SSH client whose server answers `answers` questions, and then no more."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.closed = gevent.event.Event()

    def get_transport(self) -> Any:
        return SimpleNamespace(is_active=lambda: not self.closed.is_set(), global_request=self._request)

    def _request(self, kind: str, wait: bool) -> None:
        assert (kind, wait) == ("keepalive@openssh.com", True)
        self.answers -= 1
        if self.answers < 0:
            gevent.event.Event().wait()

    def close(self) -> None:
        self.closed.set()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alive, "INTERVAL", 0.02)
    monkeypatch.setattr(alive, "PATIENCE", 0.1)


def host(client: object) -> Any:
    return SimpleNamespace(connector=SimpleNamespace(client=client))


def test_a_host_that_stops_answering_ends_the_wait_with_a_reason() -> None:
    client = Client(answers=2)
    with alive.watched(host(client)) as watch:
        assert client.closed.wait(5)  # as the reader of a command's output does
    assert "does not answer any more" in watch.reason


def test_a_host_that_answers_may_take_its_time() -> None:
    client = Client(answers=1000)
    with alive.watched(host(client)) as watch:
        gevent.sleep(0.3)
    assert watch.reason == ""
    assert not client.closed.is_set()
    left = client.answers
    assert left < 1000
    gevent.sleep(0.1)
    assert client.answers == left, "asks only while the command runs"


def test_other_connectors_are_not_watched() -> None:
    with alive.watched(SimpleNamespace(connector=object())) as watch:  # type: ignore[arg-type]
        pass
    assert watch.reason == ""


def test_a_proxy_that_ends_is_the_end_of_the_connection() -> None:
    workarounds.mend_proxy_commands()
    proxy = ProxyCommand("sh -c 'echo hello'")
    proxy.settimeout(5)
    began = time.monotonic()
    assert proxy.recv(100) == b"hello\n"
    assert proxy.recv(100) == b""
    assert time.monotonic() - began < 4
    proxy.process.wait()
    proxy.close()


def test_a_proxy_that_says_nothing_is_waited_for() -> None:
    proxy = ProxyCommand("sleep 10")
    proxy.settimeout(0.1)
    with pytest.raises(TimeoutError):
        proxy.recv(100)
    proxy.close()
    proxy.process.wait()
    proxy.process.stdout.close()
    with pytest.raises(ProxyCommandFailure):
        proxy.recv(100)

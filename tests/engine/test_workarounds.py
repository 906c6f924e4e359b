"""What ongpu mends in paramiko and pyinfra."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyinfra
import pytest
from paramiko.hostkeys import HostKeys
from paramiko.proxy import ProxyCommand
from paramiko.ssh_exception import ProxyCommandFailure
from pyinfra.api import arguments, util

from ongpu.engine import workarounds


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


@pytest.mark.parametrize("deploy_file", [__file__, "nowhere.py", None])
@pytest.mark.parametrize("is_cli", [True, False])
def test_operations_have_the_order_that_pyinfra_gives_them(
    monkeypatch: pytest.MonkeyPatch, deploy_file: str | None, is_cli: bool
) -> None:
    monkeypatch.setattr(pyinfra, "is_cli", is_cli)
    state: Any = SimpleNamespace(current_deploy_filename=deploy_file, current_op_file_number=3)

    def nested() -> tuple[list[int], list[int]]:
        return util.get_operation_order_from_stack(state), workarounds._order(state)

    theirs, ours = nested()
    assert ours == theirs
    if deploy_file == __file__:
        assert len(ours) > is_cli  # this test's own lines


_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIJ1BvBFOXB8QOSYmnoNwYqzOcD6KQdKs/8wN0XSKfd0V"
_OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIBQp1WZ3n7GQ5lbcrFzUWkUaSYKyCRxMAGEKxPCOCTR5"
_KNOWN = f"""# a comment

gpu1,10.0.0.1 ssh-ed25519 {_KEY}
gpu2 ssh-ed25519 {_KEY}
gpu1 ssh-ed25519 {_KEY}
gpu2 ssh-ed25519 {_OTHER}
|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 {_OTHER}
not a line
gpu3 ssh-nothing AAAA
"""


def test_known_hosts_say_what_they_said_before(tmp_path: Path) -> None:
    """Of two keys of one kind for a host the first counts."""
    file = tmp_path / "known_hosts"
    file.write_text(_KNOWN)
    keys = HostKeys(str(file))
    for name, key in (("gpu1", _KEY), ("10.0.0.1", _KEY), ("gpu2", _KEY), ("192.168.1.61", _OTHER)):
        found = keys.lookup(name)
        assert found is not None, name
        assert found["ssh-ed25519"].get_base64() == key
    assert keys.lookup("gpu3") is None
    assert keys.lookup("gpu4") is None


def test_known_hosts_are_not_held_against_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(_KNOWN)
    monkeypatch.setattr(HostKeys, "lookup", lambda self, name: pytest.fail("each line is held against all before it"))
    HostKeys().load(str(file))


def test_the_types_of_global_arguments_are_worked_out_once() -> None:
    assert arguments.all_global_arguments() is arguments.all_global_arguments()

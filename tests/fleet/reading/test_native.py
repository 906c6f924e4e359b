"""SSH in this process against real servers on the loopback interface."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from ongpu.engine.answer import Answer
from ongpu.errors import ConfigError
from ongpu.fleet.options import Options
from ongpu.fleet.reading.inventory import Declared
from ongpu.fleet.reading.stream import stream
from ongpu.fleet.trouble import Kind, kind_of
from tests.fleet.reading.servers import Process, Server

Data = Callable[..., dict[str, Any]]
Servers = Callable[..., Server]


def read(
    hosts: dict[str, dict[str, Any]], script: str = "echo it works", seconds: float = 20, parallel: int = 50
) -> dict[str, Answer]:
    """Each host's answer; what kept it from answering is the failure."""

    def trouble(name: str, sentence: str, kind: Kind | None = None) -> tuple[str, Answer]:
        return name, Answer("", sentence)

    declared = [Declared(name=name, connector="ssh", groups=(), data=one) for name, one in hosts.items()]
    options = Options(seconds=seconds, parallel=parallel)  # type: ignore[arg-type]
    return dict(stream(declared, options, lambda host: script, lambda host, answer: (host.name, answer), trouble, 20))


def one(data: dict[str, Any], script: str = "echo it works", seconds: float = 20) -> Answer:
    return read({"gpu01": data}, script, seconds)["gpu01"]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def no_more_than(count: int) -> bool:
    """The servers' own ends, which are in this process too, may close a moment later."""
    until = time.monotonic() + 10
    while descriptors() > count and time.monotonic() < until:
        time.sleep(0.01)
    return descriptors() <= count


def test_one_connection_and_one_execution(server: Servers, data: Data) -> None:
    host = server()
    before = descriptors()
    assert one(data(host), "echo a; echo b") == Answer("a\nb\n")
    assert host.commands == ["sh -s"]
    assert host.connections == 1
    assert no_more_than(before)


def test_what_a_failing_shell_says_is_the_reason(server: Servers, data: Data) -> None:
    answer = one(data(server()), "echo out; echo 'no such thing' >&2; exit 3")
    assert (answer.text, answer.failure) == ("out\n", "no such thing")


def test_sudo_never_asks(server: Servers, data: Data) -> None:
    async def refuses(process: Process) -> None:
        process.stderr.write(b"sudo: a password is required\n")
        process.exit(1)

    host = server(refuses)
    answer = one(data(host, _sudo=True))
    assert host.commands == ["sudo -H -n sh -s"]
    assert kind_of(answer.failure) == "sudo"


def test_a_key_that_is_not_the_known_one_is_refused(server: Servers, data: Data, home: Path) -> None:
    host, other = server(), server()
    (home / ".ssh" / "known_hosts").write_text(other.known.replace(str(other.port), str(host.port)))
    answer = one(data(host, ssh_strict_host_key_checking="no"))
    assert answer.failure == "the host key is not the one in known_hosts"
    assert host.commands == []


@pytest.mark.parametrize("config", ["", "Host *\n  UserKnownHostsFile none\n  StrictHostKeyChecking no\n"])
def test_a_key_that_nobody_knows_is_refused(config: str, server: Servers, data: Data, home: Path) -> None:
    host = server()
    (home / ".ssh" / "known_hosts").unlink()
    (home / ".ssh" / "config").write_text(config)
    answer = one(data(host, ssh_strict_host_key_checking="accept-new"))
    assert answer.failure == "the host key is not in known_hosts"
    assert kind_of(answer.failure) == "host key"


def test_hashed_and_damaged_lines_of_known_hosts(server: Servers, data: Data, home: Path, tmp_path: Path) -> None:
    import base64
    import hashlib
    import hmac

    host = server()
    name, key = host.known.split(" ", 1)
    hashed = base64.b64encode(hmac.new(b"s" * 20, name.encode(), hashlib.sha1).digest()).decode()
    (tmp_path / "known").write_text(f"this is no line\n|1|{base64.b64encode(b's' * 20).decode()}|{hashed} {key}")
    assert one(data(host, ssh_known_hosts_file=str(tmp_path / "known"))).failure == ""


def test_a_wrong_key_is_an_authentication_failure(server: Servers, data: Data, tmp_path: Path) -> None:
    host = server()
    asyncssh.generate_private_key("ssh-ed25519").write_public_key(str(tmp_path / "authorized_keys"))
    answer = one(data(host))
    assert kind_of(answer.failure) == "authentication"


def test_a_key_file_that_is_not_there_is_named(server: Servers, data: Data) -> None:
    answer = one(data(server(), ssh_key="/nowhere/id"))
    assert answer.failure == "authentication failed (key file /nowhere/id: No such file or directory)"


def test_nobody_listens(server: Servers, data: Data) -> None:
    answer = one(data(server(), ssh_port=1))
    assert answer.failure.startswith("unreachable: ")
    assert "refused" in answer.failure


def test_a_name_that_does_not_exist(home: Path) -> None:
    answer = one({"ssh_hostname": "no-such-host.invalid"})
    assert kind_of(answer.failure) == "name"


def test_a_host_that_hangs_ends_in_time_and_holds_up_nobody(server: Servers, data: Data) -> None:
    async def hangs(process: Process) -> None:
        await asyncio.sleep(60)

    hung, well = server(hangs), server()
    answers = read({"hung": data(hung), "well": data(well)}, seconds=0.5)
    assert answers["well"].text == "it works\n"
    assert kind_of(answers["hung"].failure) == "timeout"


def test_a_connection_that_breaks_off_keeps_what_came(server: Servers, data: Data) -> None:
    async def dies(process: Process) -> None:
        process.stdout.write(b"@@ongpu 1 aa\n")
        await process.stdout.drain()
        process.get_extra_info("connection").abort()

    answer = one(data(server(dies)))
    assert kind_of(answer.failure) == "unreachable"
    assert answer.text in ("", "@@ongpu 1 aa\n")


def test_an_answer_without_end_is_bounded(server: Servers, data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ongpu.fleet.reading.native.MOST_BYTES", 100_000)
    answer = one(data(server()), "head -c 3000000 /dev/zero | tr '\\0' x")
    assert 0 < len(answer.text) <= 100_000


def test_ssh_config_says_how_to_get_there(server: Servers, home: Path) -> None:
    host = server()
    (home / ".ssh" / "config").write_text(
        f"Host gpu*\n  HostName 127.0.0.1\n  Port {host.port}\n  User ops\n  IdentityFile ~/.ssh/%n\n"
    )
    (home / ".ssh" / "id_ed25519").rename(home / ".ssh" / "gpu01")
    assert one({}).text == "it works\n"


def test_a_proxy_command_leads_there(server: Servers, data: Data, home: Path, tmp_path: Path) -> None:
    host = server()
    relay = tmp_path / "relay.py"
    relay.write_text(_RELAY)
    (home / ".ssh" / "config").write_text(
        f"Host *\n  HostKeyAlias 127.0.0.1\n  ProxyCommand {sys.executable} {relay} $(echo %h) %p\n"
    )
    (home / ".ssh" / "known_hosts").write_text(host.known.replace(f"[127.0.0.1]:{host.port}", "127.0.0.1"))
    before = descriptors()
    assert one(data(host)).text == "it works\n"
    assert no_more_than(before)


_RELAY = """
import os, select, socket, sys
far = socket.create_connection((sys.argv[1], int(sys.argv[2])))
while True:
    for end in select.select([0, far.fileno()], [], [])[0]:
        piece = os.read(end, 65536)
        if not piece:
            sys.exit()
        os.write(1, piece) if end else far.sendall(piece)
"""


def test_what_a_proxy_command_says_is_the_reason(server: Servers, data: Data, home: Path) -> None:
    (home / ".ssh" / "config").write_text("Host *\n  ProxyCommand echo 'no way through' >&2; exit 1\n")
    answer = one(data(server()))
    assert answer.failure == "unreachable: no way through"


def test_all_hosts_behind_a_jump_host_share_one_connection_to_it(server: Servers, data: Data, home: Path) -> None:
    jump, *hosts = server(), server(), server(), server()
    (home / ".ssh" / "config").write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {jump.port}\n  User ops\nHost 127.*\n  ProxyJump gate\n"
    )
    answers = read({f"gpu{at}": data(host) for at, host in enumerate(hosts)})
    assert {answer.text for answer in answers.values()} == {"it works\n"}
    assert (jump.connections, jump.forwarded, jump.commands) == (1, 3, [])


def test_a_jump_host_that_is_down_is_named(server: Servers, data: Data, home: Path) -> None:
    (home / ".ssh" / "config").write_text("Host 127.0.0.1\n  ProxyJump ops@127.0.0.2:1\n")
    answer = one(data(server()))
    assert answer.failure.startswith("unreachable: the jump host ops@127.0.0.2:1: unreachable: ")


def test_jump_hosts_in_a_circle_end(server: Servers, data: Data, home: Path) -> None:
    (home / ".ssh" / "config").write_text("Host *\n  ProxyJump 127.0.0.1\n")
    assert "circle" in one(data(server())).failure


def test_many_hosts_need_few_descriptors(server: Servers, data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    host = server()
    most = 0

    async def counts(process: Process) -> None:
        nonlocal most
        await process.stdin.read()
        most = max(most, host.open)
        process.exit(0)

    host.handler = counts
    answers = read({f"gpu{at}": data(host) for at in range(40)}, parallel=4)
    assert len(answers) == 40
    assert most <= 4
    assert host.connections == 40


def test_a_reader_that_stops_early_leaves_nothing_open(server: Servers, data: Data) -> None:
    every = [server()] * 8
    before = descriptors()
    hosts = [Declared(name=f"gpu{at}", connector="ssh", groups=(), data=data(host)) for at, host in enumerate(every)]

    def results() -> Iterator[str]:
        yield from stream(
            hosts, Options(parallel=2), lambda host: "echo", lambda host, answer: host.name, lambda *_: "", 20
        )

    streaming = results()
    next(streaming)
    streaming.close()  # type: ignore[attr-defined]
    assert no_more_than(before)


def test_what_asyncssh_does_not_know_is_left_to_openssh(
    server: Servers, data: Data, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for `ssh` writes down how it was called."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ssh"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\njson.dump([sys.argv[1:], sys.stdin.read()], sys.stdout)\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (home / ".ssh" / "config").write_text("Host *\n  KnownHostsCommand /usr/bin/keys %H\n")
    host = server()
    words, script = json.loads(one(data(host, _sudo=True)).text)
    assert host.connections == 0
    assert script == "echo it works"
    assert words[-3:] == ["--", "127.0.0.1", "sudo -H -n sh -s"]
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "ControlMaster=no"):
        assert option in words


@pytest.mark.parametrize("config", ["KnownHostsCommand none", "GSSAPIAuthentication no", "CanonicalizeHostname no"])
def test_what_is_switched_off_needs_no_openssh(config: str, server: Servers, data: Data, home: Path) -> None:
    (home / ".ssh" / "config").write_text(config + "\n")
    host = server()
    assert one(data(host)).text == "it works\n"
    assert host.connections == 1


def test_a_config_that_cannot_be_read_is_said(server: Servers, data: Data, home: Path) -> None:
    answer = one(data(server(), ssh_config_file="/nowhere/config"))
    assert "/nowhere/config: cannot be read" in answer.failure


def test_a_bug_in_judging_one_host_is_its_own(server: Servers, data: Data) -> None:
    def judge(host: Declared, answer: Answer) -> str:
        if host.name == "gpu1":
            raise KeyError("models")
        return "ok"

    def script(host: Declared) -> str:
        if host.name == "gpu2":
            raise ConfigError("gpu2 has no ongpu spec")
        return "echo"

    hosts = [
        Declared(name=f"gpu{at}", connector="ssh", groups=(), data=data(host)) for at, host in enumerate([server()] * 3)
    ]
    found = set(stream(hosts, Options(), script, judge, lambda name, why, kind=None: f"{name} {kind}: {why}", 20))
    assert found == {
        "ok",
        "gpu1 None: ongpu bug, please report: KeyError('models')",
        "gpu2 inventory: gpu2 has no ongpu spec",
    }


def test_this_machine_needs_no_ssh(home: Path) -> None:
    hosts = [Declared(name="@local", connector="local", groups=(), data={})]
    (answer,) = stream(
        hosts, Options(), lambda host: "echo $((6 * 7))", lambda host, answer: answer, lambda *_: None, 20
    )
    assert answer == Answer("42\n")

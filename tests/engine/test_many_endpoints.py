"""`ongpu verify` over a hundred endpoints: live, and as long as the slowest host takes, not as all together."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.config import Config
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_state

from ongpu.engine import verify as engine
from ongpu.fleet import read
from ongpu.fleet.session import Options
from tests.engine.conftest import LocalShell
from tests.probe.shells import tool

HOSTS = 100
EACH = 1.0  # seconds that an endpoint takes to answer /api/ps
SLOWEST = "gpu042"  # answers when the results of half of the others are there
PATIENCE = 60.0

pytestmark = pytest.mark.slow


class Endpoint(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.may_answer = list[str](), threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        time.sleep(EACH)
        self.server.may_answer.wait(PATIENCE)
        self._answer(b'{"models":[]}')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b'{"capabilities":["completion"]}')

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class OwnTools(LocalShell):
    """Each host finds its own endpoint: its systemctl says where Ollama listens."""

    places: Path

    def run_shell_command(self, command: Any, **kwargs: Any) -> tuple[bool, CommandOutput]:
        path = f"{self.places / self.host.name}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-s"],
            input=kwargs["_stdin"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "PATH": path},
        )
        return done.returncode == 0, CommandOutput([OutputLine("stdout", line) for line in done.stdout.split("\n")])


@pytest.fixture
def endpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Endpoint]]:
    found = [f"gpu{number:03d}" for number in range(HOSTS)]
    servers: dict[str, Endpoint] = {}
    OwnTools.places = tmp_path
    for name in found:
        server = servers[name] = Endpoint()
        if name != SLOWEST:
            server.may_answer.set()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        listens = f"127.0.0.1:{server.server_address[1]}"
        tool(tmp_path / name, "systemctl", f"echo MainPID=0; echo 'Environment=OLLAMA_HOST={listens}'")

    def open_state(options: Options) -> tuple[State, list[Host]]:
        data = {"ongpu": {"ollama": {"release": "0.32.15"}, "models": {"tiny": {}}, "expect": {"gpus": 0}}}
        inventory = Inventory(([(name, data) for name in found], {}), all=(found, {}))
        for host in inventory:
            host.connector_cls = OwnTools
        state = State(check_for_changes=False)
        ctx_state.set(state)
        state.init(inventory, Config(PARALLEL=options.parallel, FAIL_PERCENT=100))
        return state, list(inventory)

    monkeypatch.setattr(read, "open_state", open_state)
    monkeypatch.setattr(
        engine, "script", lambda: "printf '@@ongpu 1 bb\\n@@bb end\\n'\n"
    )  # the probe has its own tests
    yield servers
    for server in servers.values():
        server.shutdown()
        server.server_close()


def test_a_hundred_endpoints_take_as_long_as_the_slowest(endpoints: dict[str, Endpoint]) -> None:
    started = time.monotonic()
    arrived: dict[str, float] = {}
    for result in read.verify_fleet(Options(parallel=HOSTS, seconds=100), load=False):
        arrived[result.host] = time.monotonic() - started
        assert result.verdict == "unknown"  # nothing but these answers: no proof
        if len(arrived) == HOSTS // 2:
            assert SLOWEST not in arrived, "results come while the slowest host is still asked"
            endpoints[SLOWEST].may_answer.set()
    assert sorted(arrived) == sorted(endpoints)
    assert all(server.asked == ["/api/ps"] for server in endpoints.values())
    seconds = sorted(arrived.values())
    assert seconds[-1] < HOSTS * EACH, "not one after the other"
    print(f"first after {seconds[0]:.1f} s, half after {seconds[HOSTS // 2]:.1f} s, all after {seconds[-1]:.1f} s")

"""Hosts in one process: pyinfra's real State, operations and phases over a connector that runs `sh` here."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyinfra_cli  # noqa: F401 - patches the standard library for gevent, as the product does
import pytest
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all
from pyinfra.api.deploy import add_deploy, deploy
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.operation import operation
from pyinfra.api.operations import run_ops
from pyinfra.api.state import State, StateStage
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_state

from ongpu.engine import converge as engine
from ongpu.engine import look, steps
from ongpu.plan.types import Plan
from ongpu.spec.model import HostSpec

SPEC = {"ollama": {"release": "0.32.15"}}


class LocalShell(BaseConnector):
    """Runs the script it is given with sh, and counts: one entry per exec."""

    handles_execution = True
    execs: dict[str, list[str]]

    @staticmethod
    def make_names_data(name: str) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        yield name, {}, []

    def connect(self) -> None:
        pass

    def run_shell_command(self, command: Any, **kwargs: Any) -> tuple[bool, CommandOutput]:
        script = kwargs["_stdin"]
        type(self).execs.setdefault(self.host.name, []).append(script)
        done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, timeout=30)
        lines = [OutputLine("stdout", line) for line in done.stdout.split("\n")]
        return done.returncode == 0, CommandOutput(lines)

    def put_file(self, *args: Any, **kwargs: Any) -> bool:
        raise AssertionError("ongpu sends files inside its scripts")

    def get_file(self, *args: Any, **kwargs: Any) -> bool:
        raise AssertionError("ongpu reads files through its probe")


class World:
    """A fleet whose plans are `plans(host_name, state_directory)`; `run` = the deploy, as `pyinfra -y` or confirmed."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.plans: Callable[[str, Path], Plan] = lambda name, place: Plan()
        self.data: dict[str, dict[str, Any]] = {}
        self.resources = ("driver", "restart")
        self.parallel: int | None = None
        self.seen: list[HostSpec] = []  # specs that were planned
        self.declares: dict[str, dict[str, Any]] = {}  # resource -> what its operation is given

    def run(self, *names: str, confirmed: bool = False) -> State:
        state = self.prepare(*names, confirmed=confirmed)
        state.set_stage(StateStage.Execute)
        self.confirmed(state)
        with contextlib.suppress(PyinfraError):  # "No hosts remaining!"
            run_ops(state)
        return state

    def prepare(self, *names: str, confirmed: bool = True) -> State:
        """What a dry run does."""
        LocalShell.execs = {}
        for name in names:
            (self.base / name).mkdir(exist_ok=True)
        hosts = [(name, self.data.get(name, {"ongpu": SPEC})) for name in names]
        inventory = Inventory((hosts, {}), all=(list(names), {}))
        for host in inventory:
            host.connector_cls = LocalShell
        state = State(check_for_changes=confirmed)
        ctx_state.set(state)
        state.init(inventory, Config(PARALLEL=10, FAIL_PERCENT=100))
        state.set_stage(StateStage.Connect)
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        self.prepared(state)
        add_deploy(state, self._deploy)
        return state

    def prepared(self, state: State) -> None:
        """Hook: before the operations are prepared."""

    def confirmed(self, state: State) -> None:
        """Hook: between the shown plan and its execution."""

    @property
    def _deploy(self) -> Callable[[], None]:
        def body() -> None:
            for resource in self.resources:
                extra = {"_parallel": self.parallel} if self.parallel and resource == "restart" else {}
                converge_operation(resource, self.declares.get(resource), name=resource, **extra)

        return deploy("test")(body)

    def execs(self, name: str) -> list[str]:
        return LocalShell.execs.get(name, [])


@operation()
def converge_operation(resource: str, spec: dict[str, Any] | None = None):  # type: ignore[no-untyped-def]
    yield from engine.converge(resource, spec)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    for name, place in (("STATE_DIR", "state"), ("BACKUPS", "state/backups")):
        monkeypatch.setattr(steps, name, str(tmp_path / place))
    # every host has a lock of its own: they share this machine
    lock = steps._LOCK.replace("/var/lib/ongpu", str(tmp_path / "state")).replace("state/lock", "state/lock$$")
    monkeypatch.setattr(steps, "_LOCK", lock)
    record = steps._RECORD.replace("/var/lib/ongpu", str(tmp_path / "state"))
    monkeypatch.setattr(steps, "_RECORD", record)
    monkeypatch.setattr(steps, "_HEAD", steps._HEAD.replace('[ "$(id -u)" = 0 ] ||', "true ||"))
    monkeypatch.setattr(look, "script", lambda: "echo looked\n")
    monkeypatch.setattr(look, "read", lambda answer: answer)
    monkeypatch.setattr(
        engine,
        "plan",
        lambda spec, snapshot, now, limits: made.seen.append(spec) or made.plans(spec.name, tmp_path / spec.name),
    )
    return made

"""The repair as an operation: shown at prepare, done at execute, nothing where nothing is wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.command import FunctionCommand

from ongpu.engine import fixing as operation
from ongpu.engine.cell import cell_of
from ongpu.host.result import RuleFix
from tests.plan.builders import SPEC


class Host:
    name = "gpu01"
    current_op_hash = ""

    def __init__(self) -> None:
        self.connector_data: dict[str, Any] = {}
        self.said: list[str] = []
        self.data = SimpleNamespace(dict=lambda: {"ongpu": {k: v for k, v in SPEC.items() if k != "name"}})

    def noop(self, text: str) -> None:
        self.said.append(text)

    def log_styled(self, text: str, **_: Any) -> None:
        self.said.append(text)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()
    monkeypatch.setattr(operation.context, "ctx_host", SimpleNamespace(get=lambda: made))
    return made


def _phase(monkeypatch: pytest.MonkeyPatch, executing: bool, state: str) -> None:
    monkeypatch.setattr(operation.context, "state", SimpleNamespace(is_executing=executing))

    def repair(host: Any, wanted: Any) -> None:
        if state:
            now = "planned" if wanted.dry else state
            cell_of(host).fixes["ENV-002"] = RuleFix(
                rule="ENV-002",
                cause="c",
                state=now,
                safety="restart",
                summary="take it away",  # type: ignore[arg-type]
            )

    monkeypatch.setattr(operation, "repair", repair)


@pytest.mark.parametrize("executing", [False, True])
def test_a_healthy_host_is_left_alone(host: Host, monkeypatch: pytest.MonkeyPatch, executing: bool) -> None:
    _phase(monkeypatch, executing, "")
    assert list(operation.fixing((), "restart")) == []
    assert host.said == ["nothing to repair is found"]


def test_a_dry_run_says_what_would_be_done(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    _phase(monkeypatch, False, "fixed")
    (command,) = operation.fixing(("ENV-002",), "restart")
    assert isinstance(command, FunctionCommand)
    assert host.said == ["ENV-002 c: planned: take it away"]


@pytest.mark.parametrize(("state", "succeeds"), [("fixed", True), ("failing", False), ("refused", False)])
def test_the_host_fails_where_something_stays(
    host: Host, monkeypatch: pytest.MonkeyPatch, state: str, succeeds: bool
) -> None:
    _phase(monkeypatch, True, state)
    (command,) = operation.fixing((), "restart")
    assert command.function(None, host, *command.args) is succeeds
    assert host.said[0] == f"ENV-002 c: {state}: take it away"


def test_an_unknown_rule_is_one_sentence(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    _phase(monkeypatch, True, "fixed")
    (command,) = operation.fixing(("ENV-999",), "")
    assert command.function(None, host, *command.args) is False
    assert "there is no rule 'ENV-999'" in host.said[0]

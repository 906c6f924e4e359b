"""`ongpu fix` on the command line: what is a rule and what a host, and what comes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from ongpu.cli.fix import command
from ongpu.history.store import Store
from ongpu.host.result import HostResult, RuleFix
from ongpu.plan.types import Interrupts

FIXED = RuleFix(
    rule="ENV-002",
    cause="cuda-visible-devices-hides-gpu",
    state="fixed",
    safety="restart",
    summary="take CUDA_VISIBLE_DEVICES away (by a drop-in of ongpu); restart ollama",
)
BY_HAND = RuleFix(
    rule="HW-006",
    cause="power-cap-active",
    state="manual",
    safety="manual",
    summary="Compare the limit with the card's default.",
    commands=("nvidia-smi -q -d POWER",),
)


class Fleet:
    """Stands in for the hosts; keeps what it was asked for."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.asked: tuple[Any, Any] | None = None
        self.results = [
            HostResult(host="gpu01", verdict="ok", summary="fixed: cuda-visible-devices-hides-gpu", fixes=(FIXED,)),
            HostResult(host="gpu02", verdict="findings", summary="to be done by hand", fixes=(BY_HAND,)),
        ]

    def fix(self, *words: str) -> Result:
        return CliRunner().invoke(command, ["-i", str(self.place / "inventory.py"), *words], standalone_mode=False)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    made = Fleet(tmp_path)

    def streamed(options: Any, wanted: Any, run: str = "") -> Iterator[HostResult]:
        made.asked = options, wanted
        yield from made.results

    monkeypatch.setattr("ongpu.fleet.fix.fix_fleet", streamed)
    return made


def test_rules_and_hosts_are_told_apart(fleet: Fleet) -> None:
    fleet.fix("ENV-002", "nvidia-uvm-not-loaded", "gpu01", "--allow", "restart", "--dry")
    assert fleet.asked is not None
    options, wanted = fleet.asked
    assert options.limit == ("gpu01",)
    assert wanted.rules == {"ENV-002", "SW-010"}
    assert (wanted.allowed, wanted.dry) == (Interrupts.RESTART, True)


def test_by_default_nothing_may_be_interrupted(fleet: Fleet) -> None:
    fleet.fix("--all")
    assert fleet.asked is not None
    assert fleet.asked[1].allowed is Interrupts.NONE
    assert fleet.asked[0].limit == ()


@pytest.mark.parametrize(("words", "says"), [((), "name the hosts"), (("--all", "gpu01"), "--all means every host")])
def test_hosts_are_named_or_all_of_them(fleet: Fleet, words: tuple[str, ...], says: str) -> None:
    result = fleet.fix(*words)
    assert isinstance(result.exception, click.UsageError)
    assert says in result.exception.format_message()
    assert fleet.asked is None


def test_the_table_says_what_became_of_each_finding(fleet: Fleet) -> None:
    result = fleet.fix("--all")
    assert result.return_value == 2
    assert "  fixed          ENV-002 cuda-visible-devices-hides-gpu\n" in result.output
    assert "  by hand        HW-006 power-cap-active\n" in result.output
    assert "$ nvidia-smi -q -d POWER\n" in result.output
    assert "gpu01  OK: fixed: cuda-visible-devices-hides-gpu" in result.output


def test_the_json_report_has_the_fixes(fleet: Fleet) -> None:
    body = json.loads(fleet.fix("--all", "--format", "json").output)
    assert [fix["state"] for host in body["hosts"] for fix in host["fixes"]] == ["fixed", "manual"]


def test_a_run_is_in_the_history_and_a_dry_one_is_not(fleet: Fleet) -> None:
    fleet.fix("--all", "--dry")
    assert not (fleet.place / "history").exists()
    fleet.fix("--all")
    store = Store(fleet.place / "history" / "ongpu.sqlite3")
    (run,) = store.runs(5)
    assert (run.command, run.exit_code) == ("fix", 2)
    assert [(state.host, state.state) for state in store.states()] == [("gpu01", "completed"), ("gpu02", "error")]

"""A plan as a verdict: missing GPUs are told beside what would change, never hidden by it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ongpu.engine.cell import Cell
from ongpu.fleet import results
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.types import Blocked, Change, Deferred, Plan
from ongpu.spec import from_data
from tests.fleet.test_drift import FEWER

SPEC = from_data({"name": "gpu01", "ollama": {"release": "0.32.15"}, "expect": {"gpus": 2}})
PULL = Change(resource="models", summary="pull llama3.2:3b", steps=())
DRIVER = Change(resource="driver", summary="install 580", steps=())
REFUSED = Blocked(resource="driver", why="driver.reboot is `never`", kind="refused")
WAITS = Deferred(resource="module", why="waits for driver, which is blocked")


def verdict(monkeypatch: pytest.MonkeyPatch, plan: Plan) -> Any:
    cell = Cell(spec=SPEC, snapshot=HostSnapshot.unreadable("made up"))
    monkeypatch.setattr(results, "cell_of", lambda host: cell)
    monkeypatch.setattr(results, "missing_gpus", lambda count, name, snapshot: FEWER)
    return results.of_plan(SimpleNamespace(name="gpu01"), plan)  # type: ignore[arg-type]


def test_missing_gpus_are_told_beside_what_would_change(monkeypatch: pytest.MonkeyPatch) -> None:
    result = verdict(monkeypatch, Plan(changes=(PULL,)))
    assert (result.verdict, result.summary) == ("findings", "1 to change; expect.gpus is 2, but 1 answer")
    assert result.findings == (FEWER,)
    assert verdict(monkeypatch, Plan()).summary == FEWER.summary


def test_before_the_driver_is_there_no_gpu_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    result = verdict(monkeypatch, Plan(changes=(DRIVER,)))
    assert (result.summary, result.findings) == ("1 to change", ())


def test_what_only_waits_for_a_refused_part_is_refused_and_not_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "gpus_wrong", lambda *_: None)
    result = verdict(monkeypatch, Plan(blocked=(REFUSED,), deferred=(WAITS,)))
    assert (result.verdict, result.summary) == ("refused", "driver.reboot is `never`")

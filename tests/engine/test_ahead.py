"""When a plan looks ahead at its models: only where something is done for them, and once in each phase."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ongpu.engine import converge as engine
from ongpu.fit.foreseen import Foreseen
from ongpu.plan.types import Change, Limits, Plan, Run

from .conftest import SPEC, World

MODELS = {**SPEC, "models": {"m": {}}}


class Ahead:
    """Every plan that is made: (what was foreseen for it, force?); `asked` = phases in which it was looked up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, base: Path, due: str) -> None:
        self.plans: list[tuple[dict[str, Foreseen], bool]] = []
        self.asked: list[bool] = []

        def plan(
            spec: Any, snapshot: Any, now: Any, limits: Limits, foreseen: Mapping[str, Foreseen] | None = None
        ) -> Plan:
            self.plans.append((dict(foreseen or {}), limits.force))
            if not due or (base / "done").exists():
                return Plan()
            step = Run(command=f"touch {base}/done", what="do it")
            return Plan(changes=(Change(resource=due, summary="do it", steps=(step,)),))

        def foresee(host: Any, spec: Any, snapshot: Any) -> dict[str, Foreseen]:
            self.asked.append(host.state.is_executing)
            return {"m": Foreseen(kind="gguf")}

        monkeypatch.setattr(engine, "plan", plan)
        monkeypatch.setattr(engine, "foresee", foresee)


def test_a_pull_is_foreseen_once_in_each_phase(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = Ahead(monkeypatch, tmp_path, "models")
    world.data, world.resources = {"a": {"ongpu": MODELS}}, ("driver", "models")
    state = world.run("a", confirmed=True)
    assert not state.failed_hosts
    assert ahead.asked == [False, True]
    assert ({"m": Foreseen(kind="gguf")}, False) in ahead.plans


@pytest.mark.parametrize(("due", "spec"), [("", MODELS), ("driver", MODELS), ("models", SPEC)])
def test_nothing_is_asked_where_nothing_is_done_for_models(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, due: str, spec: dict[str, Any]
) -> None:
    ahead = Ahead(monkeypatch, tmp_path, due)
    world.data, world.resources = {"a": {"ongpu": spec}}, ("driver", "models")
    assert not world.run("a").failed_hosts
    assert ahead.asked == []


@pytest.mark.parametrize(("given", "force"), [(True, True), ("true", True), (False, False), ("no", False)])
def test_force_comes_with_the_hosts_data(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: object, force: bool
) -> None:
    ahead = Ahead(monkeypatch, tmp_path, "")
    world.data = {"a": {"ongpu": MODELS, "ongpu_force": given}}
    world.run("a")
    assert {forced for _, forced in ahead.plans} == {force}

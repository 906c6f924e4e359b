"""The whole repair over hosts in memory: what is done, in which order, what is confirmed and what is taken back."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ongpu.engine import repair as engine
from ongpu.engine import repairing
from ongpu.engine.cell import Trouble, cell_of
from ongpu.engine.repair import repair
from ongpu.engine.repairing import Wanted
from ongpu.errors import Exit
from ongpu.host.paths import FIX_DROP_IN
from ongpu.host.result import RuleFix
from ongpu.plan.types import Change, Drain, Interrupts
from tests.plan.builders import SPEC, blank_host, configured_host, spec
from tests.plan.world import World
from tests.repair.scenes import FOUND_GPU, hidden

RESTART = Wanted(allowed=Interrupts.RESTART)
REBOOT = Wanted(allowed=Interrupts.REBOOT)


class Fleet:
    """Hosts of one run. `fails` makes a change fail, `spoils` runs after one."""

    def __init__(self) -> None:
        self.worlds: dict[str, World] = {}
        self.hosts: dict[str, Any] = {}
        self.state: Any = SimpleNamespace(inventory=[], is_host_in_limit=lambda host: True)
        self.done: list[tuple[str, Change]] = []
        self.looks: dict[str, int] = {}
        self.fails: Callable[[Change], Trouble | None] = lambda change: None
        self.spoils: Callable[[World, Change], None] = lambda world, change: None

    def add(self, name: str, world: World, declared: Any = None, **rollout: Any) -> Any:
        data = declared if declared is not None else {**SPEC, "models": {}, "rollout": rollout}
        values = {"ongpu": {key: value for key, value in data.items() if key != "name"}} if data else {}
        host = SimpleNamespace(
            name=name, connector_data={}, state=self.state, data=SimpleNamespace(dict=lambda: values)
        )
        self.worlds[name], self.hosts[name] = world, host
        self.state.inventory.append(host)
        return host

    def snapshot(self, host: Any) -> Any:
        cell = cell_of(host)
        if cell.snapshot is None:
            self.looks[host.name] = self.looks.get(host.name, 0) + 1
            cell.snapshot = self.worlds[host.name].snapshot()
        return cell.snapshot

    def execute(self, host: Any, change: Change) -> Trouble | None:
        self.done.append((host.name, change))
        if trouble := self.fails(change):
            return trouble
        self.worlds[host.name].apply(change)
        self.spoils(self.worlds[host.name], change)
        return None

    def fix(self, name: str, wanted: Wanted = RESTART) -> dict[str, RuleFix]:
        host = self.hosts[name]
        repair(host, wanted)
        return {fix.cause: fix for fix in cell_of(host).fixes.values()}

    def summaries(self, name: str) -> list[str]:
        return [change.summary for host, change in self.done if host == name]


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    made = Fleet()
    for module in (engine, repairing):
        monkeypatch.setattr(module, "snapshot", made.snapshot)
    monkeypatch.setattr(repairing, "execute", made.execute)
    monkeypatch.setattr(engine, "prove_now", lambda host, load: ())
    return made


def test_a_healthy_host_costs_one_look_and_nothing_is_done(fleet: Fleet) -> None:
    host = configured_host(declared=spec(models={}))
    host.journal = (FOUND_GPU,)
    fleet.add("a", host)
    assert fleet.fix("a", REBOOT) == {}
    assert (fleet.done, fleet.looks) == ([], {"a": 1})


def test_a_foreign_variable_is_overridden_and_the_rule_confirms_it(fleet: Fleet) -> None:
    fleet.add("a", hidden())
    fixes = fleet.fix("a")
    assert fixes["cuda-visible-devices-hides-gpu"].state == "fixed"
    kinds = [[type(step) for step in change.steps] for _, change in fleet.done]
    assert any(Drain in kind for kind in kinds), "nobody waits until nothing is served"
    assert fleet.worlds["a"].process is not None
    assert "CUDA_VISIBLE_DEVICES" not in (fleet.worlds["a"].process or {})


def test_what_interrupts_is_not_done_unasked(fleet: Fleet) -> None:
    fleet.add("a", hidden())
    assert {fix.state for fix in fleet.fix("a", Wanted()).values()} == {"refused"}
    assert fleet.done == []


def test_a_dry_run_only_says_it(fleet: Fleet) -> None:
    fleet.add("a", hidden())
    fixes = fleet.fix("a", Wanted(allowed=Interrupts.RESTART, dry=True))
    assert {fix.state for fix in fixes.values()} == {"planned"}
    assert fleet.done == []


def test_two_causes_share_one_restart(fleet: Fleet) -> None:
    fleet.add("a", hidden(CUDA_VISIBLE_DEVICES="-1", LLAMA_ARG_CPU_MOE="1"))
    fixes = fleet.fix("a")
    assert {fix.state for fix in fixes.values()} == {"fixed"}
    assert len(fixes) == 2
    assert sum(change.interrupts is Interrupts.RESTART for _, change in fleet.done) == 1


def test_only_the_named_rules_are_repaired(fleet: Fleet) -> None:
    fleet.add("a", hidden(CUDA_VISIBLE_DEVICES="-1", LLAMA_ARG_CPU_MOE="1"))
    fixes = fleet.fix("a", Wanted(rules=frozenset({"ENV-012"}), allowed=Interrupts.RESTART))
    assert set(fixes) == {"llama-arg-override"}
    assert "CUDA_VISIBLE_DEVICES" in (fleet.worlds["a"].process or {})


def test_the_plan_repairs_what_it_covers(fleet: Fleet) -> None:
    host = configured_host(declared=spec(models={}))
    host.uvm = False
    fleet.add("a", host)
    assert fleet.fix("a")["nvidia-uvm-not-loaded"].state == "fixed"
    assert fleet.summaries("a")[0] == "load the kernel module nvidia-uvm"


def test_a_blank_host_gets_its_driver_by_the_plan(fleet: Fleet) -> None:
    fleet.add("a", blank_host())
    fixes = fleet.fix("a", REBOOT)
    assert {fix.state for fix in fixes.values()} == {"fixed"}, fixes
    assert any("install 580.95.05" in summary for summary in fleet.summaries("a"))


def test_a_cause_that_stays_is_said(fleet: Fleet) -> None:
    fleet.add("a", hidden())
    fleet.spoils = lambda world, change: world.process and world.process.update({"CUDA_VISIBLE_DEVICES": "-1"})  # type: ignore[func-returns-value]
    fix = fleet.fix("a")["cuda-visible-devices-hides-gpu"]
    assert (fix.state, fix.why) == ("failing", "CUDA_VISIBLE_DEVICES=-1 hides every GPU")


def test_a_fix_that_makes_it_worse_is_taken_back(fleet: Fleet) -> None:
    def spoil(world: World, change: Change) -> None:
        if change.resource == "restart" and FIX_DROP_IN in world.files:
            world.process = None  # it does not come up with what the fix wrote

    fleet.add("a", hidden())
    fleet.spoils = spoil
    fix = fleet.fix("a")["cuda-visible-devices-hides-gpu"]
    assert fix.state == "worse"
    assert fix.why.startswith("ollama ran before and is inactive now; taken back")
    assert FIX_DROP_IN not in fleet.worlds["a"].files
    assert fleet.worlds["a"].process is not None, "it runs again as before"


def test_a_step_that_fails_is_one_sentence(fleet: Fleet) -> None:
    fleet.add("a", hidden())
    fleet.fails = lambda change: (
        Trouble("restart: could not restart ollama: no", Exit.FINDINGS) if change.interrupts else None
    )
    fix = fleet.fix("a")["cuda-visible-devices-hides-gpu"]
    assert (fix.state, fix.why) == ("failed", "restart: could not restart ollama: no")


def test_the_drain_limit_refuses(fleet: Fleet) -> None:
    fleet.add("a", hidden())
    fleet.fails = lambda change: Trouble("restart refused, still busy", Exit.REFUSED) if change.interrupts else None
    assert fleet.fix("a")["cuda-visible-devices-hides-gpu"].state == "refused"
    assert not cell_of(fleet.hosts["a"]).broken
    assert FIX_DROP_IN not in fleet.worlds["a"].files, "what waited for the restart is not left behind"


def test_a_rule_whose_fix_fails_on_too_many_hosts_is_not_tried_on_more(fleet: Fleet) -> None:
    for name in "abc":
        fleet.add(name, hidden(), max_failures="1")
    fleet.spoils = lambda world, change: world.process and world.process.update({"CUDA_VISIBLE_DEVICES": "-1"})  # type: ignore[func-returns-value]
    states = [fleet.fix(name)["cuda-visible-devices-hides-gpu"].state for name in "abc"]
    assert states == ["failing", "failing", "refused"]
    assert fleet.summaries("c") == []
    assert "rollout.max_failures allows 1" in cell_of(fleet.hosts["c"]).fixes["ENV-002"].why


def test_a_host_without_a_spec_gets_its_manual_steps_only(fleet: Fleet) -> None:
    fleet.add("a", hidden(), declared={})
    fix = fleet.fix("a", REBOOT)["cuda-visible-devices-hides-gpu"]
    assert fix.state == "manual"
    assert "has no ongpu spec, so nothing is changed" in fix.why
    assert fleet.done == []


def test_outside_the_window_nothing_is_interrupted(fleet: Fleet) -> None:
    closed = {**SPEC, "models": {}, "service": {"window": "Mon 03:00-03:01 UTC"}}
    fleet.add("a", hidden(), declared=closed)
    fix = fleet.fix("a")["cuda-visible-devices-hides-gpu"]
    assert fix.state == "refused"
    assert "maintenance window" in fix.why

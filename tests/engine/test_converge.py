"""The engine on pyinfra's two phases: what is done, what is said, how many execs it costs."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyinfra.api.host import Host
from pyinfra.api.state import State

from ongpu.engine.cell import cell_of
from ongpu.errors import Exit
from ongpu.plan.types import Blocked, Change, Deferred, Interrupts, Plan, Run

from .conftest import World


def makes(place: Path, resource: str, interrupts: Interrupts = Interrupts.NONE, command: str = "") -> Plan:
    """A plan with one change that is due until its file is there."""
    file = place / resource
    if file.exists():
        return Plan()
    run = Run(command=command or f"touch {file}", what=f"make {resource}")
    return Plan(changes=(Change(resource=resource, summary=f"make {resource}", steps=(run,), interrupts=interrupts),))


def both(place: Path) -> Plan:
    driver, restart = makes(place, "driver"), makes(place, "restart", Interrupts.RESTART)
    return Plan(changes=driver.changes + restart.changes)


def trouble(state: State, name: str) -> tuple[str, Exit] | None:
    found = cell_of(state.inventory.get_host(name)).trouble
    return (found.sentence, found.code) if found else None


def test_no_change_costs_one_exec_and_changes_nothing(world: World) -> None:
    state = world.run("a", "b")
    assert not state.failed_hosts
    assert [len(world.execs(name)) for name in ("a", "b")] == [1, 1]


def test_a_confirmed_run_without_changes_costs_two(world: World) -> None:
    world.run("a", confirmed=True)
    assert len(world.execs("a")) == 2  # the confirmed plan ages: it is looked at again when it is executed


def test_changes_are_done_and_looked_at_again(world: World, tmp_path: Path) -> None:
    world.plans = lambda name, place: both(place)
    state = world.run("a")
    assert not state.failed_hosts
    assert (tmp_path / "a" / "restart").exists()
    assert len(world.execs("a")) == 5  # look; do, look; do, look
    done = [change.state for change in cell_of(state.inventory.get_host("a")).changes.values()]
    assert done == ["done", "done"]


def test_a_change_that_does_not_take_fails_its_host_only(world: World) -> None:
    world.plans = lambda name, place: makes(place, "driver", command="true" if name == "a" else "")
    state = world.run("a", "b")
    assert {host.name for host in state.failed_hosts} == {"a"}
    assert trouble(state, "a") == ("driver was changed but is still not as declared: make driver", Exit.FINDINGS)


def test_a_failed_step_is_one_sentence_and_later_resources_are_not_tried(world: World, tmp_path: Path) -> None:
    world.plans = lambda name, place: Plan(
        changes=makes(place, "driver", command="echo no space left; exit 100").changes + makes(place, "restart").changes
    )
    state = world.run("a")
    assert trouble(state, "a") == ("driver: could not make driver: no space left (exit 100)", Exit.FINDINGS)
    assert not (tmp_path / "a" / "restart").exists()


def test_blocked_parts_fail_with_their_reason_and_class(world: World) -> None:
    kinds = {"a": ("refused", Exit.REFUSED), "b": ("unknown", Exit.UNKNOWN), "c": ("unsupported", Exit.FINDINGS)}
    world.plans = lambda name, place: Plan(
        blocked=(Blocked(resource="driver", why="because", kind=kinds[name][0]),)  # type: ignore[arg-type]
    )
    state = world.run("a", "b", "c")
    assert {name: trouble(state, name) for name in kinds} == {
        name: ("driver: because", code) for name, (_, code) in kinds.items()
    }


def test_a_deferred_part_is_resolved_when_it_is_its_turn(world: World, tmp_path: Path) -> None:
    def plans(name: str, place: Path) -> Plan:
        if not (place / "driver").exists():
            late = Deferred(resource="restart", why="after the driver", may_interrupt=Interrupts.RESTART)
            return Plan(changes=makes(place, "driver").changes, deferred=(late,))
        return makes(place, "restart", Interrupts.RESTART)

    world.plans = plans
    state = world.run("a", confirmed=True)
    assert not state.failed_hosts, trouble(state, "a")
    assert (tmp_path / "a" / "restart").exists()


def test_nothing_beyond_the_shown_plan_is_done(world: World, tmp_path: Path) -> None:
    world.plans = lambda name, place: makes(place, "driver")
    world.confirmed = lambda state: setattr(world, "plans", lambda name, place: both(place))  # type: ignore[method-assign]
    state = world.run("a", confirmed=True)
    sentence, code = trouble(state, "a") or ("", Exit.OK)
    assert code == Exit.REFUSED
    assert "not in the plan that was shown" in sentence
    assert (tmp_path / "a" / "driver").exists()
    assert not (tmp_path / "a" / "restart").exists()


def test_a_bug_or_a_missing_spec_stays_with_its_host(world: World) -> None:
    def plans(name: str, place: Path) -> Plan:
        if name == "a":
            raise KeyError("boom")
        return Plan()

    world.plans = plans
    world.data["b"] = {}
    state = world.run("a", "b", "c")
    assert {host.name for host in state.failed_hosts} == {"a", "b"}
    assert "ongpu bug" in (trouble(state, "a") or ("",))[0]
    sentence, code = trouble(state, "b") or ("", Exit.OK)
    assert "b has no ongpu spec, so nothing is changed" in sentence
    assert code == Exit.ERROR
    assert len(world.execs("b")) == 0


def test_a_dry_run_says_why_nothing_would_be_done_and_counts_no_change(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.data["a"] = {}
    world.plans = lambda name, place: Plan(blocked=(Blocked(resource="driver", why="because", kind="refused"),))
    state = world.prepare("a", "b")
    assert [will_change for host in state.inventory for will_change in changes(state, host)] == [False] * 4
    told = [record.getMessage() for record in caplog.records]
    assert sum("a has no ongpu spec, so nothing is changed" in line for line in told) == 1
    assert any("driver: because" in line for line in told)


def changes(state: State, host: Host) -> list[bool]:
    return [operation.operation_meta.will_change for operation in state.ops[host].values()]


def test_the_breaker_stops_restarts_after_one_went_bad(world: World, tmp_path: Path) -> None:
    world.plans = lambda name, place: makes(place, "restart", Interrupts.RESTART, command="exit 1")
    world.parallel = 1
    state = world.run("a", "b", "c", "d")
    tried = [name for name in "abcd" if any("make restart" in s or "exit 1" in s for s in world.execs(name))]
    assert len(tried) == 1
    refused = [name for name in "abcd" if (trouble(state, name) or ("", Exit.OK))[1] == Exit.REFUSED]
    assert len(refused) == 3


def test_a_failure_before_any_interruption_does_not_hold_up_the_others(world: World, tmp_path: Path) -> None:
    world.plans = lambda name, place: both(place) if name != "a" else makes(place, "driver", command="exit 1")
    world.parallel = 1
    state = world.run("a", "b", "c")
    assert {host.name for host in state.failed_hosts} == {"a"}
    assert (tmp_path / "b" / "restart").exists()
    assert (tmp_path / "c" / "restart").exists()


def test_an_operation_declares_what_it_needs_by_itself(world: World) -> None:
    world.data["a"] = {}
    world.declares = {"restart": {"ollama": {"release": "0.24.0"}}}
    world.resources = ("restart",)
    state = world.run("a", "b")
    assert not state.failed_hosts
    alone, over = (next(spec for spec in world.seen if spec.name == name) for name in "ab")
    assert (alone.ollama.release, alone.ollama.manage, alone.driver.manage) == ("0.24.0", True, False)
    assert (over.ollama.release, over.driver.manage) == ("0.24.0", True), "over the host's own data"


def test_what_one_operation_declares_is_not_the_next_ones(world: World) -> None:
    world.declares = {"driver": {"ollama": {"release": "0.24.0"}}}
    world.run("a")
    assert [spec.ollama.release for spec in world.seen] == ["0.24.0", "0.32.15"]

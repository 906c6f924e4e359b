"""The plan over a host's life: blank, configured, drifted, killed half way."""

from __future__ import annotations

from ongpu.plan.build import RESOURCES, folded
from ongpu.plan.types import Interrupts
from tests.plan.builders import blank_host, configured_host, planned, spec


def test_a_blank_host_shows_what_it_can_and_says_what_it_cannot_know() -> None:
    plan = planned(blank_host())
    assert [change.resource for change in plan.changes] == ["repository", "account", "ollama", "unit", "override"]
    assert {late.resource: late.may_interrupt for late in plan.deferred} == {
        "driver": Interrupts.NONE,
        "module": Interrupts.REBOOT,
        "restart": Interrupts.NONE,
        "models": Interrupts.NONE,
    }
    assert not plan.blocked


def test_a_blank_host_converges_and_stays() -> None:
    host = configured_host()
    assert planned(host).empty
    assert host.boots == 1
    assert host.loaded == "580.95.05"


def test_every_resource_is_planned_in_the_same_sequence() -> None:
    plan = planned(blank_host(tools=set()))
    order = [part.resource for part in (*plan.changes, *plan.deferred)]
    # Where something is wrong, is to be replaced, or is declared.
    quiet = {"fit", "fabric", "switch", "watch", "uninstall", "tidy", "ecc", "settings", "cuda"}
    assert [name for name in RESOURCES if name in order] == [name for name in RESOURCES if name not in quiet]


def test_a_refusal_is_read_once_with_all_that_waits_for_it() -> None:
    docker = planned(blank_host(packaging=("docker",)), spec(driver={"manage": False}))
    assert len(docker.blocked) > 3
    shown = folded(docker)
    assert [blocked.resource for blocked in shown.blocked] == ["account"]
    (late,) = shown.deferred
    assert (late.resource, late.why) == (
        "ollama, unit, override, restart, models",
        "wait for account, which is blocked",
    )
    assert folded(shown) == shown


def test_what_is_only_known_later_is_not_folded() -> None:
    plan = planned(blank_host())
    assert folded(plan) == plan

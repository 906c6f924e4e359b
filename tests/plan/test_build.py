"""The plan over a host's life: blank, configured, drifted, killed half way."""

from __future__ import annotations

from ongpu.plan.build import RESOURCES
from ongpu.plan.types import Interrupts
from tests.plan.builders import blank_host, configured_host, planned


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
    assert [name for name in RESOURCES if name in order] == list(RESOURCES)

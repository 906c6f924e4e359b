"""Runs of ongpu on a host in memory: what the engine does with plans, and the promises that every run keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ongpu.plan.build import RESOURCES
from ongpu.plan.types import Change, Drain, Interrupts, Limits, Plan, Reboot, Remove, Run
from ongpu.spec.model import HostSpec
from ongpu.spec.window import Window
from tests.plan.builders import TUESDAY, planned
from tests.plan.world import Killed, World


@dataclass
class Cut:
    """The run is killed before it would do its next step, after `steps` of them."""

    steps: int


def run(
    host: World, declared: HostSpec, limits: Limits | None = None, at: datetime = TUESDAY, cut: Cut | None = None
) -> str:
    """One run over all resources, as the engine does it. Why it stopped; empty when every resource is as declared."""
    shown = planned(host, declared, limits, at)
    for resource in RESOURCES:
        todo = planned(host, declared, limits, at).of(resource)
        keeps_its_promises(host, declared, todo, limits or Limits(), at)
        if todo.blocked:
            return f"{resource}: {todo.blocked[0].why}"
        if todo.deferred:
            return f"{resource}: {todo.deferred[0].why}"
        for change in todo.changes:
            was_shown(shown, change)
            if not _apply(host, change, cut):
                return "killed"
        left = planned(host, declared, limits, at).of(resource)
        if left.blocked:
            return f"{resource}: {left.blocked[0].why}"
        if todo.changes and not left.empty:
            return f"{resource} was changed but is still not as declared: {left}"
    return ""


def _apply(host: World, change: Change, cut: Cut | None) -> bool:
    steps = None if cut is None else min(cut.steps, len(change.steps))
    try:
        host.apply(change, steps)
    except Killed:
        return False
    if cut is None or steps is None:
        return True
    cut.steps -= steps
    return steps == len(change.steps)


def was_shown(shown: Plan, change: Change) -> None:
    """A run does no resource, and interrupts nothing, that the plan at its beginning lacked."""
    part = shown.of(change.resource)
    assert part.changes or part.deferred, f"{change.summary}: the plan showed nothing of {change.resource}"
    assert change.interrupts <= part.interrupts, f"{change.summary}: shown as {part.interrupts.word}"


def keeps_its_promises(host: World, declared: HostSpec, part: Plan, limits: Limits, at: datetime) -> None:
    """Explained, and nothing interrupted that may not be."""
    assert all(blocked.why for blocked in part.blocked)
    assert all(late.why for late in part.deferred)
    for change in part.changes:
        assert change.summary
        assert "\n" not in change.summary
        assert change.steps
        kinds = {type(step) for step in change.steps}
        if Reboot in kinds:
            assert change.interrupts is Interrupts.REBOOT
            assert declared.driver.reboot != "never"
        if change.interrupts is Interrupts.NONE:
            assert not kinds & {Drain, Reboot, Remove}
        if change.interrupts:
            _may_interrupt(host, declared, change, limits, at)
        for step in change.steps:
            assert not isinstance(step, Run) or (step.what and "\n" not in step.what)


def _may_interrupt(host: World, declared: HostSpec, change: Change, limits: Limits, at: datetime) -> None:
    running = host.process is not None
    window = declared.service.window
    if change.interrupts is Interrupts.REBOOT:
        assert limits.allow_reboot
        assert declared.driver.reboot != "bootstrap" or not host.driver_answers()
    if running:
        assert limits.allow_restart
        assert any(isinstance(step, Drain) for step in change.steps), "nobody waits until nothing is served"
        assert window is None or Window.parse(window).is_open(at)

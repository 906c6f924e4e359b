"""The work of a repair on one host: what interrupts nothing, cause by cause; then one restart or reboot for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ongpu.engine.cell import cell_of, spec_of
from ongpu.engine.converge import note_change
from ongpu.engine.execute import execute
from ongpu.engine.look import forget, snapshot
from ongpu.engine.safety import breaker, rule_breaker
from ongpu.errors import Exit
from ongpu.host.result import Finding, FixState
from ongpu.plan.build import RESOURCES, plan
from ongpu.plan.context import Context, Halt
from ongpu.plan.policy import drained, require_reboot
from ongpu.plan.resources.restart import restart_for
from ongpu.plan.resources.unit import RELOAD
from ongpu.plan.types import Change, Interrupts, Limits, Now, Plan, Put, Reboot, Step
from ongpu.repair.judge import Look
from ongpu.repair.proposal import Proposal

if TYPE_CHECKING:
    from pyinfra.api.host import Host

Gate = Callable[[], AbstractContextManager[object]]
"""Held while a host is interrupted: bounds how many are at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`rules`: ids, empty = every one that fires. `allowed`: the most that may be interrupted. `dry`: only say."""

    rules: frozenset[str] = frozenset()
    allowed: Interrupts = Interrupts.NONE
    dry: bool = False

    def takes(self, finding: Finding) -> bool:
        """Informational findings need no repair, unless they are asked for by name."""
        return finding.rule in self.rules if self.rules else finding.severity != "info"


@dataclass(slots=True)
class Work:
    """`ended`: rules whose repair ended early, with the reason. `written`: those whose own steps were begun. `done`:
    something was changed on the host."""

    host: Host
    wanted: Wanted
    gate: Gate
    before: Look
    ended: dict[str, tuple[FixState, str]] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    done: bool = False


def context_of(host: Host, wanted: Wanted) -> Context:
    """Raises ConfigError for a host without a declared spec: nothing is changed there (design D7)."""
    allowed = wanted.allowed
    limits = Limits(allow_restart=allowed >= Interrupts.RESTART, allow_reboot=allowed >= Interrupts.REBOOT)
    return Context(spec=spec_of(host), snapshot=snapshot(host), now=Now(datetime.now(UTC)), limits=limits)


def plan_of(host: Host, wanted: Wanted) -> Plan:
    context = context_of(host, wanted)
    return plan(context.spec, context.snapshot, context.now, context.limits)


def do(work: Work, offers: list[Proposal]) -> None:
    for offer in offers:
        if stopped := rule_breaker(work.host, offer.rule):
            work.ended[offer.rule] = "refused", stopped
        else:
            _quietly(work, offer)
    offers = [offer for offer in offers if offer.rule not in work.ended]
    needing = _needing(work, offers)
    for change in _finals(work, needing):
        if not _interrupting(work, needing, change):
            return


def _quietly(work: Work, offer: Proposal) -> None:
    """The parts that interrupt nothing."""
    for resource in sorted(offer.resources, key=RESOURCES.index):
        for change in _planned(work, offer, resource):
            if change.interrupts or resource == "restart":
                continue  # all restarts together, at the end
            if not do_change(work, offer.rule, change):
                return
    if offer.steps:
        work.written.add(offer.rule)
        do_change(work, offer.rule, Change(resource=offer.rule, summary=offer.summary, steps=offer.steps))


def _planned(work: Work, offer: Proposal, resource: str) -> Iterator[Change]:
    part = plan_of(work.host, work.wanted).of(resource)
    if part.blocked:
        blocked = part.blocked[0]
        work.ended[offer.rule] = ("refused" if blocked.kind == "refused" else "failed"), blocked.why
        return
    yield from part.changes


def _needing(work: Work, offers: Sequence[Proposal]) -> list[Proposal]:
    """Those whose repair ends with an interruption, as things are now."""
    todo = plan_of(work.host, work.wanted) if any(offer.resources for offer in offers) else Plan()
    return [
        offer
        for offer in offers
        if offer.needs or any(todo.of(name).changes or todo.of(name).blocked for name in offer.resources)
    ]


def _finals(work: Work, needing: Sequence[Proposal]) -> Iterator[Change]:
    """What interrupts, for all of them together: what the plan has to do, then one restart; or one reboot."""
    if not needing:
        return
    why = ", ".join(offer.cause for offer in needing)
    resources = {name for offer in needing for name in offer.resources}
    todo = plan_of(work.host, work.wanted) if resources else Plan()
    try:
        for blocked in todo.blocked:
            if blocked.resource in resources:
                raise Halt(blocked.kind, blocked.why)
        planned = [one for one in todo.changes if one.interrupts and one.resource in resources]
        yield from (one for one in planned if one.resource != "restart")
        if any(one.interrupts is Interrupts.REBOOT for one in planned):
            return  # what started at this boot needs no restart
        context = context_of(work.host, work.wanted)
        if any(offer.needs is Interrupts.REBOOT for offer in needing):
            require_reboot(context, f"{why}: this needs a reboot")
            steps: tuple[Step, ...] = (*drained(context), Reboot())
            yield Change(resource="host", summary=f"reboot: {why}", steps=steps, interrupts=Interrupts.REBOOT)
        else:
            yield restart_for(context, why, tuple(step for offer in needing for step in offer.stopped))
    except Halt as halt:
        _end(work, needing, "refused" if halt.kind == "refused" else "failed", halt.why)


def _end(work: Work, offers: Sequence[Proposal], state: FixState, why: str) -> None:
    for offer in offers:
        work.ended.setdefault(offer.rule, (state, why))


def _interrupting(work: Work, needing: Sequence[Proposal], change: Change) -> bool:
    with work.gate() if change.interrupts else nullcontext():
        if change.interrupts and (stopped := breaker(work.host)):
            _end(work, needing, "refused", f"not tried, {stopped}")
            return False
        if not do_change(work, needing[0].rule, change):
            _end(work, needing, *work.ended[needing[0].rule])
            return False
        _after_reboot(work, change)
    return True


def _after_reboot(work: Work, change: Change) -> None:
    """What the plan does only once the new module is there: a service that lost the race at boot is restarted."""
    if change.interrupts is not Interrupts.REBOOT:
        return
    for late in plan_of(work.host, work.wanted).changes:
        if late.resource in ("module", "restart") and late.interrupts <= Interrupts.RESTART:
            do_change(work, "", late)


def do_change(work: Work, rule: str, change: Change) -> bool:
    """Do it, and keep what became of it."""
    cell = cell_of(work.host)
    trouble = execute(work.host, change)
    if not all(isinstance(step, Put) or step is RELOAD for step in change.steps):
        forget(work.host)  # our own files change nothing that is looked at before the restart
    work.done = True
    note_change(cell, change, done=trouble is None)
    if trouble is None:
        return True
    refused = trouble.code is Exit.REFUSED
    cell.broken |= bool(change.interrupts) and not refused
    work.ended[rule] = "refused" if refused else "failed", trouble.sentence
    return False

"""Repair one host: look, let the rules find the causes, do what is safe, look again (the rule decides, not the step).

What interrupts nothing is done first, cause by cause; then, for all of them together, at most one restart of the
service or of the host. The parts of a plan go through the same code, limits, drain and breaker as `converge`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ongpu.engine.cell import Cell, cell_of, spec_of
from ongpu.engine.converge import note_change
from ongpu.engine.execute import execute
from ongpu.engine.look import forget, snapshot
from ongpu.engine.safety import breaker, rule_breaker
from ongpu.engine.verify import prove_now
from ongpu.errors import Exit, OngpuError
from ongpu.host.result import Finding, FixState, RuleFix
from ongpu.plan.build import RESOURCES, plan
from ongpu.plan.context import Context, Halt
from ongpu.plan.policy import drained, require_reboot
from ongpu.plan.resources.restart import restart_for
from ongpu.plan.resources.unit import RELOAD
from ongpu.plan.types import Change, Interrupts, Limits, Now, Plan, Put, Reboot, Step
from ongpu.repair.judge import Look, confirmed, worse
from ongpu.repair.proposal import Proposal, by_hand, proposals
from ongpu.rules.catalogue import entry_of

if TYPE_CHECKING:
    from pyinfra.api.host import Host

ROUNDS = 3  # a cause may hide another one
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
class _Work:
    """`ended`: rules whose repair ended early, with the reason. `written`: those whose own steps were begun. `done`:
    something was changed on the host."""

    host: Host
    wanted: Wanted
    gate: Gate
    before: Look
    ended: dict[str, tuple[FixState, str]] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    done: bool = False


def repair(host: Host, wanted: Wanted, gate: Gate = nullcontext) -> Look:
    """Everything that can be done on this host now; the last look. What became of each finding is in its cell.

    Costs one round trip where nothing is found. Never raises for anything that the host does.
    """
    cell = cell_of(host)
    last = Look(snapshot(host))
    for _ in range(ROUNDS):
        todo = [one for one in last.diagnosis.findings if wanted.takes(one) and one.rule not in cell.fixes]
        if not todo:
            break
        work = _Work(host, wanted, gate, last)
        offers = _offers(work, todo)
        doable = [offer for offer in offers if not offer.ends]
        if doable and not wanted.dry:
            _do(work, doable)
        last = _judged(work, offers)
        if not work.done:
            break
    return last


def _context(host: Host, wanted: Wanted) -> Context:
    """Raises ConfigError for a host without a declared spec: nothing is changed there (design D7)."""
    allowed = wanted.allowed
    limits = Limits(allow_restart=allowed >= Interrupts.RESTART, allow_reboot=allowed >= Interrupts.REBOOT)
    return Context(spec=spec_of(host), snapshot=snapshot(host), now=Now(datetime.now(UTC)), limits=limits)


def _plan(host: Host, wanted: Wanted) -> Plan:
    context = _context(host, wanted)
    return plan(context.spec, context.snapshot, context.now, context.limits)


def _offers(work: _Work, todo: Sequence[Finding]) -> list[Proposal]:
    try:
        context = _context(work.host, work.wanted)
    except OngpuError as error:
        return [by_hand(entry_of(finding.rule), str(error)) for finding in todo]
    return proposals(context, work.before.seen, todo, work.wanted.allowed)


def _do(work: _Work, offers: list[Proposal]) -> None:
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


def _quietly(work: _Work, offer: Proposal) -> None:
    """The parts that interrupt nothing."""
    for resource in sorted(offer.resources, key=RESOURCES.index):
        for change in _planned(work, offer, resource):
            if change.interrupts or resource == "restart":
                continue  # all restarts together, at the end
            if not _change(work, offer.rule, change):
                return
    if offer.steps:
        work.written.add(offer.rule)
        _change(work, offer.rule, Change(resource=offer.rule, summary=offer.summary, steps=offer.steps))


def _planned(work: _Work, offer: Proposal, resource: str) -> Iterator[Change]:
    part = _plan(work.host, work.wanted).of(resource)
    if part.blocked:
        blocked = part.blocked[0]
        work.ended[offer.rule] = ("refused" if blocked.kind == "refused" else "failed"), blocked.why
        return
    yield from part.changes


def _needing(work: _Work, offers: Sequence[Proposal]) -> list[Proposal]:
    """Those whose repair ends with an interruption, as things are now."""
    todo = _plan(work.host, work.wanted) if any(offer.resources for offer in offers) else Plan()
    return [
        offer
        for offer in offers
        if offer.needs or any(todo.of(name).changes or todo.of(name).blocked for name in offer.resources)
    ]


def _finals(work: _Work, needing: Sequence[Proposal]) -> Iterator[Change]:
    """What interrupts, for all of them together: what the plan has to do, then one restart; or one reboot."""
    if not needing:
        return
    why = ", ".join(offer.cause for offer in needing)
    resources = {name for offer in needing for name in offer.resources}
    todo = _plan(work.host, work.wanted) if resources else Plan()
    try:
        for blocked in todo.blocked:
            if blocked.resource in resources:
                raise Halt(blocked.kind, blocked.why)
        planned = [one for one in todo.changes if one.interrupts and one.resource in resources]
        yield from (one for one in planned if one.resource != "restart")
        if any(one.interrupts is Interrupts.REBOOT for one in planned):
            return  # what started at this boot needs no restart
        context = _context(work.host, work.wanted)
        if any(offer.needs is Interrupts.REBOOT for offer in needing):
            require_reboot(context, f"{why}: this needs a reboot")
            steps: tuple[Step, ...] = (*drained(context), Reboot())
            yield Change(resource="host", summary=f"reboot: {why}", steps=steps, interrupts=Interrupts.REBOOT)
        else:
            yield restart_for(context, why, tuple(step for offer in needing for step in offer.stopped))
    except Halt as halt:
        _end(work, needing, "refused" if halt.kind == "refused" else "failed", halt.why)


def _end(work: _Work, offers: Sequence[Proposal], state: FixState, why: str) -> None:
    for offer in offers:
        work.ended.setdefault(offer.rule, (state, why))


def _interrupting(work: _Work, needing: Sequence[Proposal], change: Change) -> bool:
    with work.gate() if change.interrupts else nullcontext():
        if change.interrupts and (stopped := breaker(work.host)):
            _end(work, needing, "refused", f"not tried, {stopped}")
            return False
        if not _change(work, needing[0].rule, change):
            _end(work, needing, *work.ended[needing[0].rule])
            return False
        _after_reboot(work, change)
    return True


def _after_reboot(work: _Work, change: Change) -> None:
    """What the plan does only once the new module is there: a service that lost the race at boot is restarted."""
    if change.interrupts is not Interrupts.REBOOT:
        return
    for late in _plan(work.host, work.wanted).changes:
        if late.resource in ("module", "restart") and late.interrupts <= Interrupts.RESTART:
            _change(work, "", late)


def _change(work: _Work, rule: str, change: Change) -> bool:
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


def _judged(work: _Work, offers: Sequence[Proposal]) -> Look:
    """Look again, and say of each finding what became of it."""
    cell = cell_of(work.host)
    after = _look_again(work) if work.done else work.before
    regress = worse(work.before, after) if work.done else ""
    if regress:
        cell.broken = True
        regress, after = _taken_back(work, offers, after, regress)
    elif half := tuple(
        step for offer in offers for step in offer.undo if offer.rule in work.written & work.ended.keys()
    ):
        # Written for a restart that was refused or failed: nobody's next restart shall bring it into effect.
        steps = (*dict.fromkeys(half), RELOAD)
        _change(work, "", Change(resource="fix", summary="take back what waited for the restart", steps=steps))
    for offer in offers:
        state, why = _state(work, offer, after, regress)
        cell.fixes[offer.rule] = RuleFix(
            rule=offer.rule,
            cause=offer.cause,
            state=state,
            safety=offer.safety,
            summary=offer.summary,
            why=why,
            commands=() if state in ("fixed", "planned") else offer.entry.rule.commands,
        )
    return after


def _state(work: _Work, offer: Proposal, after: Look, regress: str) -> tuple[FixState, str]:
    if offer.ends:
        return offer.ends, offer.why
    if work.wanted.dry:
        return "planned", ""
    early = work.ended.get(offer.rule)
    if regress and not (early and early[0] == "refused"):
        return "worse", f"{early[1]}; {regress}" if early else regress
    if early:
        return early
    return confirmed(offer.cause, after)


def _look_again(work: _Work) -> Look:
    """With the proof: the declared models are loaded as before, so that rules about loads have something to see."""
    forget(work.host)
    prove_now(work.host, load=True)
    return Look(snapshot(work.host))


def _taken_back(work: _Work, offers: Sequence[Proposal], after: Look, regress: str) -> tuple[str, Look]:
    """Our own files as they were, and the service with them. What the plan did is declared, and stays."""
    undo = tuple(step for offer in offers for step in offer.undo if offer.rule in work.written)
    if not undo:
        return f"{regress}; nothing of it can be taken back", after
    change = Change(resource="fix", summary="take back what the fix wrote", steps=(*dict.fromkeys(undo), RELOAD))
    if not _change(work, "", change):
        return f"{regress}; could not be taken back: {work.ended[''][1]}", _look_again(work)
    try:
        again = restart_for(_context(work.host, work.wanted), "the fix was taken back")
    except Halt as halt:
        return f"{regress}; taken back, but {halt.why}", _look_again(work)
    if not _change(work, "", again):
        return f"{regress}; taken back, but {work.ended[''][1]}", _look_again(work)
    return f"{regress}; taken back", _look_again(work)


def fixes_of(cell: Cell) -> tuple[RuleFix, ...]:
    """In the order in which they were tried."""
    return tuple(cell.fixes.values())

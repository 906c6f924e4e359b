"""Repair one host: look, let the rules find the causes, do what is safe, look again (the rule decides, not the step).

What interrupts nothing is done first, cause by cause; then, for all of them together, at most one restart of the
service or of the host. The parts of a plan go through the same code, limits, drain and breaker as `converge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ongpu.engine.cell import Cell, cell_of
from ongpu.engine.look import forget, snapshot
from ongpu.engine.repairing import Gate, Wanted, Work, context_of, do, do_change
from ongpu.engine.verify import prove_now
from ongpu.errors import OngpuError
from ongpu.host.result import Finding, FixState, RuleFix
from ongpu.plan.context import Halt
from ongpu.plan.resources.restart import restart_for
from ongpu.plan.resources.unit import RELOAD
from ongpu.plan.types import Change
from ongpu.repair.judge import Look, confirmed, worse
from ongpu.repair.proposal import Proposal, by_hand, proposals
from ongpu.rules.catalogue import entry_of

if TYPE_CHECKING:
    from pyinfra.api.host import Host

ROUNDS = 3  # a cause may hide another one


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
        work = Work(host, wanted, gate, last)
        offers = _offers(work, todo)
        doable = [offer for offer in offers if not offer.ends]
        if doable and not wanted.dry:
            do(work, doable)
        last = _judged(work, offers)
        if not work.done:
            break
    return last


def _offers(work: Work, todo: Sequence[Finding]) -> list[Proposal]:
    try:
        context = context_of(work.host, work.wanted)
    except OngpuError as error:
        return [by_hand(entry_of(finding.rule), str(error)) for finding in todo]
    return proposals(context, work.before.seen, todo, work.wanted.allowed)


def _judged(work: Work, offers: Sequence[Proposal]) -> Look:
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
        do_change(work, "", Change(resource="fix", summary="take back what waited for the restart", steps=steps))
    for offer in offers:
        state, why = _state(work, offer, after, regress)
        cell.fixes[offer.rule] = RuleFix(
            rule=offer.rule,
            cause=offer.cause,
            state=state,
            safety=offer.safety,
            summary=offer.summary,
            why=why,
            commands=() if state in ("fixed", "planned") else offer.entry.rule.by_hand(work.before.seen),
        )
    return after


def _state(work: Work, offer: Proposal, after: Look, regress: str) -> tuple[FixState, str]:
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


def _look_again(work: Work) -> Look:
    """With the proof: the declared models are loaded as before, so that rules about loads have something to see."""
    forget(work.host)
    prove_now(work.host, load=True)
    return Look(snapshot(work.host))


def _taken_back(work: Work, offers: Sequence[Proposal], after: Look, regress: str) -> tuple[str, Look]:
    """Our own files as they were, and the service with them. What the plan did is declared, and stays."""
    undo = tuple(step for offer in offers for step in offer.undo if offer.rule in work.written)
    if not undo:
        return f"{regress}; nothing of it can be taken back", after
    change = Change(resource="fix", summary="take back what the fix wrote", steps=(*dict.fromkeys(undo), RELOAD))
    if not do_change(work, "", change):
        return f"{regress}; could not be taken back: {work.ended[''][1]}", _look_again(work)
    try:
        again = restart_for(context_of(work.host, work.wanted), "the fix was taken back")
    except Halt as halt:
        return f"{regress}; taken back, but {halt.why}", _look_again(work)
    if not do_change(work, "", again):
        return f"{regress}; taken back, but {work.ended[''][1]}", _look_again(work)
    return f"{regress}; taken back", _look_again(work)


def fixes_of(cell: Cell) -> tuple[RuleFix, ...]:
    """In the order in which they were tried."""
    return tuple(cell.fixes.values())

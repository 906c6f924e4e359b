"""What would repair a finding on this host: its rule's actions as steps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ongpu.host.paths import FIX_DROP_IN
from ongpu.host.result import Finding, Safety
from ongpu.plan import fix_drop_in
from ongpu.plan.build import plan
from ongpu.plan.context import Context, Halt, Later
from ongpu.plan.files import content_of
from ongpu.plan.resources.unit import RELOAD
from ongpu.plan.types import Interrupts, Put, Remove, Run, Step
from ongpu.repair import pieces
from ongpu.rules.action import Action, Converge
from ongpu.rules.catalogue import Entry, entry_of
from ongpu.rules.evidence import Evidence

CLASSES: dict[Safety, Interrupts] = {
    "safe": Interrupts.NONE,
    "restart": Interrupts.RESTART,
    "reboot": Interrupts.REBOOT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """`resources` of the plan are converged first; then `steps`, which interrupt nothing; then, if `needs` says so,
    the service is restarted (with `stopped` while it is down) or the host. `undo` takes back what `steps` wrote.

    `ends` is set where nothing can be done by itself: `manual`, or refused with the reason in `why`.
    """

    entry: Entry
    summary: str
    resources: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    stopped: tuple[Run, ...] = ()
    undo: tuple[Put | Remove, ...] = ()
    needs: Interrupts = Interrupts.NONE
    ends: Literal["", "manual", "refused"] = ""
    why: str = ""

    @property
    def cause(self) -> str:
        return self.entry.rule.slug

    @property
    def rule(self) -> str:
        return self.entry.rule.id

    @property
    def safety(self) -> Safety:
        return self.entry.manual.safety


@dataclass(slots=True)
class Draft:
    """The proposals of one host as they grow: all write the one drop-in, so each begins where the last one ended."""

    context: Context
    seen: Evidence
    before: fix_drop_in.Override = field(default_factory=fix_drop_in.Override)
    override: fix_drop_in.Override = field(default_factory=fix_drop_in.Override)


def proposals(context: Context, seen: Evidence, findings: Sequence[Finding], allowed: Interrupts) -> list[Proposal]:
    """One per finding, in their order. Never raises: what cannot be planned is refused with the reason."""
    draft = Draft(context, seen)
    try:
        draft.before = draft.override = fix_drop_in.parse(content_of(context, FIX_DROP_IN))
    except Halt as halt:
        return [_refused(entry_of(finding.rule), halt.why) for finding in findings]
    return [_propose(draft, entry_of(finding.rule), allowed) for finding in findings]


def by_hand(entry: Entry, why: str = "") -> Proposal:
    """Only a person can."""
    return Proposal(entry=entry, summary=entry.manual.sections.get("Fix", ""), ends="manual", why=why)


def _refused(entry: Entry, why: str) -> Proposal:
    return Proposal(entry=entry, summary=entry.manual.sections.get("Fix", ""), ends="refused", why=why)


def _propose(draft: Draft, entry: Entry, allowed: Interrupts) -> Proposal:
    actions = entry.rule.repair(draft.seen) if entry.rule.repair else ()
    safety = entry.manual.safety
    if not actions or safety == "manual":
        return by_hand(entry)
    if all(isinstance(action, Converge) for action in actions) and _is_declared(draft.context, actions):
        return by_hand(entry, "the host is as declared, and that does not repair it")
    if CLASSES[safety] > allowed:
        return _refused(entry, f"its fix is of the class {safety}: allow it with --allow {safety}")
    start = draft.override
    try:
        parts = [pieces.piece(draft.context, action) for action in actions]
        for piece in parts:
            draft.override = piece.change(draft.override)
        put, undo = _files(draft)
    except (Halt, Later) as stop:
        draft.override = start
        return _refused(entry, stop.why)
    joined = Proposal(
        entry=entry,
        summary="; ".join(dict.fromkeys(piece.summary for piece in parts)),
        resources=tuple(dict.fromkeys(name for piece in parts for name in piece.resources)),
        steps=(*(step for piece in parts for step in piece.steps), *(put if draft.override != start else ())),
        stopped=tuple(step for piece in parts for step in piece.stopped),
        undo=undo if draft.override != start else (),
        needs=max(piece.needs for piece in parts),
    )
    return replace(joined, undo=(*joined.undo, *(step for piece in parts for step in piece.undo)))


def _is_declared(context: Context, actions: Sequence[Action]) -> bool:
    """Has the plan nothing to do in the parts that these actions name?"""
    todo = plan(context.spec, context.snapshot, context.now, context.limits)
    names = {name for action in actions if isinstance(action, Converge) for name in action.resources}
    return all(todo.of(name).empty for name in names)


def _files(draft: Draft) -> tuple[tuple[Put | Run, ...], tuple[Put | Remove, ...]]:
    """The drop-in as it shall be, and as it was."""
    put = Put(path=FIX_DROP_IN, content=fix_drop_in.text(draft.override))
    if draft.before.empty:
        return (put, RELOAD), (Remove(path=FIX_DROP_IN),)
    return (put, RELOAD), (Put(path=FIX_DROP_IN, content=fix_drop_in.text(draft.before)),)

"""What is known about one pyinfra host at the end of a run -> HostResult."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ongpu.engine.cell import Cell, cell_of
from ongpu.errors import Exit
from ongpu.fleet.facts import devices_of, facts_of
from ongpu.fleet.facts import gpus_of as gpus_of
from ongpu.host.result import Finding, HostResult, HostVerdict, PlannedChange, Unknown
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.build import folded
from ongpu.plan.types import Plan
from ongpu.proof.cuda import cuda_objection
from ongpu.proof.expected import missing_gpus
from ongpu.spec.model import HostSpec

if TYPE_CHECKING:
    from pyinfra.api.host import Host

_VERDICT: dict[Exit, HostVerdict] = {Exit.REFUSED: "refused", Exit.UNKNOWN: "unknown"}


def undeclared(name: str, sentence: str) -> HostResult:
    """A host without a valid spec: refused, by every verb."""
    return HostResult(host=name, verdict="refused", summary=sentence, error=sentence)


def unreached(name: str, sentence: str) -> HostResult:
    """A host that could not be read: unknown, never healthy."""
    return HostResult(
        host=name, verdict="unknown", summary=sentence, error=sentence, unknowns=(Unknown(what="host", why=sentence),)
    )


def of_run(host: Host) -> HostResult:
    """After changes and proof."""
    cell = cell_of(host)
    if cell.trouble and cell.spec is None:
        return undeclared(host.name, cell.trouble.sentence)
    if cell.trouble:
        error = cell.trouble.sentence
        verdict, summary = _VERDICT.get(cell.trouble.code, "failed"), error
    else:
        error = ""
        verdict, summary = judged(cell)
    return HostResult(
        host=host.name,
        verdict=verdict,
        summary=summary,
        gpus=gpus_of(cell.snapshot),
        findings=(cell.gpus,) if isinstance(cell.gpus, Finding) else (),
        unknowns=(cell.gpus,) if isinstance(cell.gpus, Unknown) else (),
        devices=devices_of(cell.snapshot),
        facts=facts_of(cell.snapshot),
        changes=tuple(cell.changes.values()),
        models=cell.models,
        error=error,
    )


def judged(cell: Cell) -> tuple[HostVerdict, str]:
    """The verdict that the models' proofs give a host on which nothing failed."""
    counts = Counter(model.verdict for model in cell.models)
    bad = [model.summary for model in cell.models if model.verdict in ("not_verified", "disagreement")]
    if isinstance(cell.gpus, Finding):
        return "findings", cell.gpus.summary
    if bad:
        return "failed", bad[0]
    unsure = [model.summary for model in cell.models if model.verdict == "unknown"]
    if unsure:
        return "unknown", unsure[0]
    if isinstance(cell.gpus, Unknown):
        return "unknown", f"{cell.gpus.what}: {cell.gpus.why}"
    if not cell.models:
        return "ok", "no model is declared: nothing to prove"
    count = counts["verified"]
    return "ok", f"{count} model{'' if count == 1 else 's'}, all on GPU"


def of_plan(host: Host, plan: Plan) -> HostResult:
    """Read-only: what apply would change."""
    unknowns = unknowns_of(plan)
    verdict, summary = _plan_verdict(plan)
    cell = cell_of(host)
    found = gpus_wrong(cell.spec, cell.snapshot, plan) if cell.spec and cell.snapshot else None
    if isinstance(found, Finding):
        verdict, summary = "findings", found.summary if plan.empty else f"{summary}; {found.summary}"
    elif isinstance(found, Unknown):
        unknowns = (*unknowns, found)
        if plan.empty:
            verdict, summary = "unknown", f"{found.what}: {found.why}"
    return HostResult(
        host=host.name,
        verdict=verdict,
        summary=summary,
        gpus=gpus_of(cell.snapshot),
        devices=devices_of(cell.snapshot),
        facts=facts_of(cell.snapshot),
        findings=(found,) if isinstance(found, Finding) else (),
        unknowns=unknowns,
        changes=changes_of(plan),
    )


def changes_of(plan: Plan) -> tuple[PlannedChange, ...]:
    """A plan as a report shows it."""
    plan = folded(plan)
    return tuple(
        [
            PlannedChange(
                resource=c.resource, kind="change", summary=c.summary, diff=c.diff, interrupts=c.interrupts.word
            )
            for c in plan.changes
        ]
        + [
            PlannedChange(resource=d.resource, kind="deferred", summary=d.why, interrupts=d.may_interrupt.word)
            for d in plan.deferred
        ]
        + [PlannedChange(resource=b.resource, kind="blocked", summary=b.why) for b in plan.blocked]
    )


def unknowns_of(plan: Plan) -> tuple[Unknown, ...]:
    """What could not be planned because it could not be read."""
    return tuple(Unknown(what=b.resource, why=b.why) for b in folded(plan).blocked if b.kind == "unknown")


def gpus_wrong(spec: HostSpec, snapshot: HostSnapshot, plan: Plan) -> Finding | Unknown | None:
    """What is wrong with the GPUs themselves. Before the driver and its module are as declared, that is all there is to
    say about them."""
    if any(plan.of(resource).changes or plan.of(resource).deferred for resource in ("driver", "switch", "module")):
        return None
    count = spec.expect.gpus
    return missing_gpus(count, spec.expect.name, snapshot) or cuda_objection(count, snapshot, proven=True)


def _plan_verdict(plan: Plan) -> tuple[HostVerdict, str]:
    kinds = {blocked.kind for blocked in plan.blocked}
    interrupts = f", interrupts: {plan.interrupts}" if plan.interrupts else ""
    if plan.changes or (plan.deferred and not plan.blocked):  # what waits for a blocked part would not change
        later = f", {len(plan.deferred)} only known later" if plan.deferred else ""
        stopped = "".join(f"; {blocked.why}" for blocked in folded(plan).blocked)
        return "findings", f"{len(plan.changes)} to change{later}{interrupts}{stopped}"
    worst: tuple[tuple[str, HostVerdict], ...] = (
        ("unsupported", "findings"),
        ("refused", "refused"),
        ("unknown", "unknown"),
    )
    for kind, verdict in worst:
        if kind in kinds:
            return verdict, next(b.why for b in plan.blocked if b.kind == kind)
    return "ok", "as declared"

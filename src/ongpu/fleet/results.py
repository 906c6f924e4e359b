"""What is known about one pyinfra host at the end of a run -> HostResult."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ongpu.engine.cell import Cell, cell_of
from ongpu.errors import Exit
from ongpu.host.reading import Known
from ongpu.host.result import HostResult, HostVerdict, PlannedChange, Unknown
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.types import Plan

if TYPE_CHECKING:
    from pyinfra.api.host import Host

_VERDICT: dict[Exit, HostVerdict] = {Exit.REFUSED: "refused", Exit.UNKNOWN: "unknown"}


def unreached(name: str, sentence: str) -> HostResult:
    """A host that could not be read: unknown, never healthy."""
    return HostResult(
        host=name, verdict="unknown", summary=sentence, error=sentence, unknowns=(Unknown(what="host", why=sentence),)
    )


def of_run(host: Host) -> HostResult:
    """After changes and proof."""
    cell = cell_of(host)
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
        changes=tuple(cell.changes.values()),
        models=cell.models,
        error=error,
    )


def judged(cell: Cell) -> tuple[HostVerdict, str]:
    """The verdict that the models' proofs give a host on which nothing failed."""
    counts = Counter(model.verdict for model in cell.models)
    bad = [model.summary for model in cell.models if model.verdict in ("not_verified", "disagreement")]
    if bad:
        return "failed", bad[0]
    unsure = [model.summary for model in cell.models if model.verdict == "unknown"]
    if unsure:
        return "unknown", unsure[0]
    return "ok", f"{counts['verified']} models, all on GPU" if cell.models else "as declared, no models declared"


def of_plan(host: Host, plan: Plan) -> HostResult:
    """Read-only: what apply would change."""
    changes = tuple(
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
    unknowns = tuple(Unknown(what=b.resource, why=b.why) for b in plan.blocked if b.kind == "unknown")
    verdict, summary = _plan_verdict(plan)
    gpus = gpus_of(cell_of(host).snapshot)
    return HostResult(host=host.name, verdict=verdict, summary=summary, gpus=gpus, changes=changes, unknowns=unknowns)


def _plan_verdict(plan: Plan) -> tuple[HostVerdict, str]:
    kinds = {blocked.kind for blocked in plan.blocked}
    interrupts = f", interrupts: {plan.interrupts}" if plan.interrupts else ""
    if plan.changes or plan.deferred:
        later = f", {len(plan.deferred)} only known later" if plan.deferred else ""
        stopped = "".join(f"; {blocked.why}" for blocked in plan.blocked)
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


def gpus_of(snapshot: HostSnapshot | None) -> str:
    """`2 x NVIDIA L4 23 GB` from NVML, `1 on the bus, no driver` from sysfs, or empty."""
    match snapshot:
        case HostSnapshot(nvml=Known(value=nvml)) if isinstance(nvml.gpus, Known) and nvml.gpus.value:
            names = Counter(
                gpu.info.name.removeprefix("NVIDIA ")
                + (
                    f" {gpu.memory.total_bytes.value / 2**30:.0f} GB"
                    if isinstance(gpu.memory.total_bytes, Known)
                    else ""
                )
                for gpu in nvml.gpus.value
            )
            return ", ".join(f"{count} x {name}" for name, count in names.items())
        case HostSnapshot(pci=Known(value=gpus)):
            return f"{len(gpus)} on the bus, driver not answering" if gpus else "none on the bus"
        case _:
            return ""

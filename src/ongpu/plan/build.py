"""spec x snapshot -> Plan: every resource in the fixed sequence, each knowing what the earlier ones plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from ongpu.fit.foreseen import Foreseen
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.context import Context, Halt, Later, Resource
from ongpu.plan.resolve import resolved
from ongpu.plan.resources import (
    account,
    cuda,
    driver,
    ecc,
    fabric,
    fit,
    models,
    module,
    ollama,
    override,
    prerequisites,
    repository,
    restart,
    settings,
    switch,
    tidy,
    uninstall,
    unit,
    watch,
)
from ongpu.plan.types import Blocked, Deferred, Limits, Now, Plan
from ongpu.spec.model import HostSpec

_ORDER: tuple[Resource, ...] = (
    prerequisites.RESOURCE,
    repository.RESOURCE,
    driver.RESOURCE,
    switch.RESOURCE,
    module.RESOURCE,
    fabric.RESOURCE,
    ecc.RESOURCE,
    settings.RESOURCE,
    cuda.RESOURCE,
    uninstall.RESOURCE,
    account.RESOURCE,
    ollama.RESOURCE,
    fit.RESOURCE,
    unit.RESOURCE,
    override.RESOURCE,
    restart.RESOURCE,
    tidy.RESOURCE,
    models.RESOURCE,
    watch.RESOURCE,
)

RESOURCES: tuple[str, ...] = tuple(resource.name for resource in _ORDER)


def plan(
    spec: HostSpec,
    snapshot: HostSnapshot,
    now: Now,
    limits: Limits,
    foreseen: Mapping[str, Foreseen] = MappingProxyType({}),
) -> Plan:
    """What has to be done, what can only be known later, and what is refused. Pure, and the same for the same input.

    `foreseen`: what is known of declared models that are not there or not loaded yet; without it, nothing is said about
    whether they fit.
    """
    context = Context(spec=resolved(spec, snapshot), snapshot=snapshot, now=now, limits=limits, foreseen=foreseen)
    for resource in _ORDER:
        if resource.applies(context.spec):
            context = replace(context, earlier=_joined(context.earlier, _part(resource, context)))
    return context.earlier


def _part(resource: Resource, context: Context) -> Plan:
    try:
        return Plan(changes=tuple(resource.changes(context)))
    except Halt as halt:
        return Plan(blocked=(Blocked(resource=resource.name, why=halt.why, kind=halt.kind),))
    except Later as later:
        late = Deferred(
            resource=resource.name, why=later.why, may_interrupt=later.may_interrupt, waits_for=later.waits_for
        )
        return Plan(deferred=(late,))


def folded(plan: Plan) -> Plan:
    """The same for readers: each refusal once, and in one line what stands still because of it."""
    first: dict[tuple[str, str], Blocked] = {}
    still: dict[str, str] = {late.resource: late.waits_for for late in plan.deferred if late.waits_for}
    for blocked in plan.blocked:
        cause = first.setdefault((blocked.kind, blocked.why), blocked)
        if cause is not blocked:
            still[blocked.resource] = cause.resource
    deferred = tuple(late for late in plan.deferred if not late.waits_for)
    if still:
        names = [resource for resource in RESOURCES if resource in still]
        causes = dict.fromkeys(still[name] for name in names)
        verb, are = "wait" if len(names) > 1 else "waits", "are" if len(causes) > 1 else "is"
        why = f"{verb} for {' and '.join(causes)}, which {are} blocked"
        deferred += (Deferred(resource=", ".join(names), why=why),)
    return Plan(changes=plan.changes, deferred=deferred, blocked=tuple(first.values()))


def _joined(first: Plan, second: Plan) -> Plan:
    return Plan(
        changes=first.changes + second.changes,
        deferred=first.deferred + second.deferred,
        blocked=first.blocked + second.blocked,
    )

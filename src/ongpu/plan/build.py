"""spec x snapshot -> Plan: every resource in the fixed sequence, each knowing what the earlier ones plan."""

from __future__ import annotations

from dataclasses import replace

from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.context import Context, Halt, Later, Resource
from ongpu.plan.resources import (
    account,
    driver,
    models,
    module,
    ollama,
    override,
    prerequisites,
    repository,
    restart,
    unit,
)
from ongpu.plan.types import Blocked, Deferred, Limits, Now, Plan
from ongpu.spec.model import HostSpec

_ORDER: tuple[Resource, ...] = (
    prerequisites.RESOURCE,
    repository.RESOURCE,
    driver.RESOURCE,
    module.RESOURCE,
    account.RESOURCE,
    ollama.RESOURCE,
    unit.RESOURCE,
    override.RESOURCE,
    restart.RESOURCE,
    models.RESOURCE,
)

RESOURCES: tuple[str, ...] = tuple(resource.name for resource in _ORDER)


def plan(spec: HostSpec, snapshot: HostSnapshot, now: Now, limits: Limits) -> Plan:
    """What has to be done, what can only be known later, and what is refused. Pure, and the same for the same input."""
    context = Context(spec=spec, snapshot=snapshot, now=now, limits=limits)
    for resource in _ORDER:
        if resource.applies(spec):
            context = replace(context, earlier=_joined(context.earlier, _part(resource, context)))
    return context.earlier


def _part(resource: Resource, context: Context) -> Plan:
    try:
        return Plan(changes=tuple(resource.changes(context)))
    except Halt as halt:
        return Plan(blocked=(Blocked(resource=resource.name, why=halt.why, kind=halt.kind),))
    except Later as later:
        return Plan(deferred=(Deferred(resource=resource.name, why=later.why, may_interrupt=later.may_interrupt),))


def _joined(first: Plan, second: Plan) -> Plan:
    return Plan(
        changes=first.changes + second.changes,
        deferred=first.deferred + second.deferred,
        blocked=first.blocked + second.blocked,
    )

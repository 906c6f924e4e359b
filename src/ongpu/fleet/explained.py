"""Which planned change is what a found cause asks for: both are one trouble, and are counted once (design D5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ongpu.host.result import Finding, PlannedChange
from ongpu.rules.action import Action, Assign, Converge, Reinstall, Restart, Unset
from ongpu.rules.catalogue import entry_of
from ongpu.rules.evidence import Evidence


def explained(
    changes: Sequence[PlannedChange], findings: Sequence[Finding], seen: Evidence
) -> tuple[PlannedChange, ...]:
    """The changes, each with the first cause whose repair it is, if there is one. `findings` are the rules' own."""
    causes: dict[str, str] = {}
    for finding in findings:
        repair = entry_of(finding.rule).rule.repair
        for action in repair(seen) if repair else ():
            for resource in _resources(action):
                causes.setdefault(resource, finding.cause)
    return tuple(replace(change, cause=causes.get(change.resource, "")) for change in changes)


def _resources(action: Action) -> tuple[str, ...]:
    """The parts of the plan that the action stands for (ongpu.plan.build.RESOURCES)."""
    match action:
        case Converge(resources=resources):
            return resources
        case Reinstall():
            return ("ollama",)
        case Unset() | Assign():
            return ("override", "restart")
        case Restart():
            return ("restart",)
        case _:
            return ()

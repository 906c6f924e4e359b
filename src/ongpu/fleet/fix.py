"""`ongpu fix` over a fleet: each host is looked at, repaired and looked at again, one connection each.

How many may be interrupted at the same time is the strictest `service.max_unavailable`, as in `ongpu apply`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gevent.lock import BoundedSemaphore

from ongpu.engine.cell import cell_of
from ongpu.engine.repair import fixes_of, repair
from ongpu.engine.repairing import Wanted
from ongpu.engine.safety import fleet_wide
from ongpu.engine.workarounds import never_ask_for_passwords
from ongpu.fleet.facts import devices_of, facts_of
from ongpu.fleet.options import Options
from ongpu.fleet.results import gpus_of, unreached
from ongpu.fleet.session import each, open_state
from ongpu.host.result import FixState, HostResult, HostVerdict, RuleFix
from ongpu.repair.judge import Look
from ongpu.report._fixes import WORDS

if TYPE_CHECKING:
    from pyinfra.api.host import Host

_VERDICTS: tuple[tuple[HostVerdict, frozenset[FixState]], ...] = (
    ("failed", frozenset({"failed", "failing", "worse"})),
    ("findings", frozenset({"manual", "planned"})),
    ("refused", frozenset({"refused"})),
    ("unknown", frozenset({"unconfirmed"})),
)


def fix_fleet(options: Options, wanted: Wanted, run: str = "") -> Iterator[HostResult]:
    """One result per host, as they are done. `run`: id of the run in the state log, by which it can be taken back."""
    never_ask_for_passwords()
    state, hosts = open_state(options)
    interrupted = BoundedSemaphore(fleet_wide(state).interrupted)

    def work(host: Host) -> HostResult:
        cell_of(host).run = run
        return of_fix(host, repair(host, wanted, lambda: interrupted), wanted)

    yield from each(state, hosts, options, work, lambda host, why: unreached(host.name, why))


def of_fix(host: Host, last: Look, wanted: Wanted) -> HostResult:
    """The host's record: what became of each finding, and what is found after it."""
    cell = cell_of(host)
    fixes = fixes_of(cell)
    verdict, summary = _verdict(fixes, last, wanted)
    bad = [model.summary for model in cell.models if model.verdict in ("not_verified", "disagreement")]
    if verdict in ("ok", "unknown") and bad:
        verdict, summary = "failed", bad[0]
    return HostResult(
        host=host.name,
        verdict=verdict,
        summary=summary,
        gpus=gpus_of(last.snapshot),
        findings=last.diagnosis.findings,
        unknowns=last.diagnosis.unknowns,
        changes=tuple(cell.changes.values()),
        fixes=fixes,
        models=cell.models,
        devices=devices_of(last.snapshot),
        facts=facts_of(last.snapshot),
    )


def _verdict(fixes: tuple[RuleFix, ...], last: Look, wanted: Wanted) -> tuple[HostVerdict, str]:
    """Of what was to be repaired; where nothing was, of the look itself."""
    told = _told(fixes)
    for verdict, states in _VERDICTS:
        if first := next((fix for fix in fixes if fix.state in states), None):
            why = f": {first.why}" if first.why else f": {first.summary}"
            return verdict, f"{told}{why}"
    if wanted.rules:
        return "ok", told or "none of these causes is found"
    left = last.diagnosis
    if left.verdict == "ok":
        return "ok", told or left.summary
    return left.verdict, f"{told}; then: {left.summary}" if told else left.summary


def _told(fixes: tuple[RuleFix, ...]) -> str:
    by_state: dict[FixState, list[str]] = {}
    for fix in fixes:
        by_state.setdefault(fix.state, []).append(fix.cause)
    return "; ".join(f"{WORDS[state]}: {', '.join(by_state[state])}" for state in WORDS if state in by_state)

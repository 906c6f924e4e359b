"""Is each host still as declared, and is what is loaded on its GPU? One exec per host; nothing is loaded, generated or
changed (design D1, D4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ongpu.engine.answer import NOT_LOOKED_AT, PROBE_SECONDS, Answer, divide, read
from ongpu.engine.loading import ASK_SECONDS
from ongpu.engine.proving import declared, load_script, testimony
from ongpu.fleet.explained import explained
from ongpu.fleet.facts import devices_of, facts_of
from ongpu.fleet.options import Options
from ongpu.fleet.reading.fleet import read_fleet
from ongpu.fleet.reading.inventory import Declared
from ongpu.fleet.results import changes_of, gpus_of, gpus_wrong, unknowns_of
from ongpu.fleet.trouble import unseen
from ongpu.host.reading import Known
from ongpu.host.result import Finding, HostResult, HostVerdict, ModelResult, PlannedChange, Unknown
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.build import plan
from ongpu.plan.types import Limits, Now, Plan
from ongpu.probe.decode import script
from ongpu.probe.frame import split
from ongpu.proof import names
from ongpu.rules.diagnose import diagnose
from ongpu.rules.from_snapshot import evidence_from
from ongpu.spec.model import HostSpec

_RULES_ALONE = ("kernel log",)  # neither the plan nor the proof looks at it: where it is not read, nobody says so
SECONDS = PROBE_SECONDS + ASK_SECONDS  # of the one exec; Options.seconds bounds the whole host


def drift_fleet(options: Options) -> Iterator[HostResult]:
    """One result per selected host, as they answer. Raises ConfigError or NothingToDo before any connection."""

    def result(host: Declared, answer: Answer) -> HostResult:
        return judge(host.spec, answer, datetime.now(UTC))

    yield from read_fleet(options, lambda host: script_of(host.spec), result, unseen, SECONDS)


def script_of(spec: HostSpec) -> str:
    """What is sent: the question about each declared model, without loading it, then the probe. POSIX sh."""
    return (load_script(spec, NOT_LOOKED_AT, load=False) if spec.models else "") + script()


def judge(spec: HostSpec, answer: Answer, now: datetime) -> HostResult:
    """The host's result from the answer to `script_of(spec)`. Pure; never raises for anything in the answer."""
    if "@@ongpu" not in answer.text:
        return unseen(spec.name, answer.failure or _instead(answer.text))
    asked, looked = divide(answer) if spec.models else (Answer(""), answer)
    if not looked.text:
        return unseen(spec.name, answer.failure or "the answer was cut off before the look")
    snapshot = read(looked)
    todo = plan(spec, snapshot, Now(now), Limits())
    proven = testimony(declared(spec), snapshot, asked.text)
    models = tuple(_idle(model, spec.name) if _is_idle(model, snapshot) else model for model in proven)
    seen = evidence_from(snapshot)
    found = diagnose(seen)
    gpus = gpus_wrong(spec, snapshot, todo)
    findings = (*found.findings, *((gpus,) if isinstance(gpus, Finding) else ()))
    changes = explained(changes_of(todo), found.findings, seen)
    blind = tuple(unknown for unknown in seen.blind if unknown.what in _RULES_ALONE)
    doubts = (*((gpus,) if isinstance(gpus, Unknown) else ()), *blind)
    verdict, summary = verdict_of(todo, models, findings, doubts, changes)
    return HostResult(
        host=spec.name,
        verdict=verdict,
        summary=summary,
        gpus=gpus_of(snapshot),
        devices=devices_of(snapshot),
        facts=facts_of(snapshot),
        findings=findings,
        changes=changes,
        unknowns=_once((*unknowns_of(todo), *doubts)),
        models=models,
    )


def _once(unknowns: Sequence[Unknown]) -> tuple[Unknown, ...]:
    """Each reason once, as it was first said."""
    first = {unknown.why: unknown for unknown in reversed(unknowns)}
    return tuple(unknown for unknown in unknowns if first[unknown.why] is unknown)


def _instead(text: str) -> str:
    """`the shell answered with other words: This account is currently not available.`"""
    return f"the shell answered with other words: {split(text).trouble}"


def verdict_of(
    todo: Plan,
    models: tuple[ModelResult, ...],
    findings: Sequence[Finding] = (),
    unknowns: Sequence[Unknown] = (),
    changes: Sequence[PlannedChange] = (),
) -> tuple[HostVerdict, str]:
    """A failed proof, then a cause or a difference (also one that may not be corrected now), then doubt. A change that
    is the repair of a found cause is no second trouble."""
    bad = [model.summary for model in models if model.verdict in ("not_verified", "disagreement")]
    causes = [finding.summary for finding in findings if finding.severity != "info"]
    done = {change.resource for change in changes if change.cause}
    unlike = [blocked.why for blocked in todo.blocked if blocked.kind in ("unsupported", "refused")]
    unlike += [change.summary for change in todo.changes if change.resource not in done]
    unlike += [late.why for late in todo.deferred if late.resource not in done] if todo.changes or unlike else []
    doubts = [blocked.why for blocked in todo.blocked if blocked.kind == "unknown"]
    doubts += [f"{unknown.what}: {unknown.why}" for unknown in unknowns]
    doubts += [model.summary for model in models if model.verdict == "unknown"]
    if bad:
        return "failed", _first([bad[0], *causes, *bad[1:]])
    if causes:
        return "findings", _first([*causes, *unlike])
    if unlike:
        return "findings", f"not as declared: {_first(unlike)}"
    if doubts:
        return "unknown", _first(doubts)
    if todo.deferred:  # nothing differs, yet something waits to be looked at
        return "unknown", _first([late.why for late in todo.deferred])
    return "ok", _fine(models)


def _first(sentences: list[str]) -> str:
    return sentences[0] + (f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else "")


def _fine(models: tuple[ModelResult, ...]) -> str:
    counts = Counter(model.verdict for model in models)
    if not models:
        return "as declared, no models declared"
    if not counts["verified"]:
        return f"as declared; no model of {len(models)} is loaded now"
    return f"as declared; {counts['verified']} of {len(models)} models loaded, fully on GPU"


def _is_idle(model: ModelResult, snapshot: HostSnapshot) -> bool:
    """Seen not to be resident, by an API that answered: only then it is no doubt that nothing proves it."""
    if model.verdict != "unknown" or not isinstance(snapshot.api, Known):
        return False
    match snapshot.api.value.loaded:
        case Known(value=loaded):
            return names.full(model.name) not in {names.full(one.name) for one in loaded}
        case _:
            return False


def _idle(model: ModelResult, host: str) -> ModelResult:
    return replace(model, verdict="not_loaded", summary=f"{model.name} on {host}: not loaded now")

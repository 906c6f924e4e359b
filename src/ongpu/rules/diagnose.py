"""Evidence -> findings, the root cause first, with its symptoms folded beneath it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ongpu.host import result
from ongpu.host.redact import redact_text
from ongpu.host.result import Finding, Fix, HostVerdict, Unknown
from ongpu.rules.catalogue import Entry, catalogue
from ongpu.rules.collect import next_step
from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import placement
from ongpu.rules.rule import Hit

_CERTAINTY = {"proven": 0, "likely": 1, "possible": 2}
_SEVERITY = {"critical": 0, "warning": 1, "info": 2}
_LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """`findings` by what to fix first; `unknowns` = what could not be decided, and what to collect for it."""

    verdict: HostVerdict
    summary: str
    findings: tuple[Finding, ...]
    unknowns: tuple[Unknown, ...]


@dataclass(frozen=True, slots=True)
class _Fired:
    entry: Entry
    hit: Hit

    @property
    def slug(self) -> str:
        return self.entry.rule.slug

    @property
    def rank(self) -> tuple[int, int, int]:
        """Informational findings come last, whatever is known about them."""
        severity = self.entry.rule.severity
        return int(severity == "info"), _CERTAINTY[self.hit.certainty], _SEVERITY[severity]


def diagnose(seen: Evidence) -> Diagnosis:
    """Asks every rule. Never raises on any evidence; a rule that needs what is not there stays silent."""
    fired = [_Fired(entry, _weighed(hit)) for entry in catalogue() if (hit := entry.rule.check(seen))]
    if placement.is_fully_on_gpu(seen):  # then the GPU works: what would keep it from working has to be proven
        fired = [one for one in fired if one.hit.certainty == "proven" or one.entry.rule.severity != "critical"]
    roots, folded = _fold(_worth_saying(fired))
    findings = tuple(_finding(one, folded.get(one.slug, ()), seen) for one in roots)
    serious = [finding for finding in findings if finding.severity != "info"]
    unknowns = seen.blind if serious else (*seen.blind, *_undecided(seen))
    if serious:
        return Diagnosis(verdict="findings", summary=_headline(serious), findings=findings, unknowns=unknowns)
    if unknowns:
        return Diagnosis(verdict="unknown", summary=unknowns[-1].why, findings=findings, unknowns=unknowns)
    return Diagnosis(
        verdict="ok", summary=f"nothing wrong in what was looked at: {_looked(seen)}", findings=findings, unknowns=()
    )


def _weighed(hit: Hit) -> Hit:
    """What only a person says proves nothing."""
    told = hit.certainty == "proven" and hit.lines and all(line.kind == "prose" for line in hit.lines)
    return replace(hit, certainty="likely") if told else hit


def _worth_saying(fired: list[_Fired]) -> list[_Fired]:
    """A mere possibility is not said beside a cause that the evidence shows."""
    serious = [one for one in fired if one.entry.rule.severity != "info"]
    best = min((_CERTAINTY[one.hit.certainty] for one in serious), default=2)
    return [one for one in fired if best == 2 or one.hit.certainty != "possible"]


def _fold(fired: list[_Fired]) -> tuple[list[_Fired], dict[str, tuple[str, ...]]]:
    """Root causes in order, and per root the summaries of what it explains (through any number of steps)."""
    by_slug = {one.slug: one for one in fired}
    # Two rules that explain each other do not both vanish: the surer one stays, else the one with the lower id.
    ordered = sorted(fired, key=lambda one: one.rank)
    root_of: dict[str, str] = {}
    for one in ordered:  # a mere possibility explains nothing away
        for slug in one.entry.rule.explains:
            effect = by_slug.get(slug)
            if effect and slug not in root_of and one.hit.certainty != "possible" and _top(one.slug, root_of) != slug:
                root_of[slug] = one.slug
    roots = [one for one in ordered if one.slug not in root_of]
    folded: dict[str, tuple[str, ...]] = {}
    for slug in root_of:
        top = _top(slug, root_of)
        folded[top] = (*folded.get(top, ()), by_slug[slug].hit.summary)
    return roots, folded


def _top(slug: str, root_of: dict[str, str]) -> str:
    while slug in root_of:
        slug = root_of[slug]
    return slug


def _finding(one: _Fired, symptoms: Sequence[str], seen: Evidence) -> Finding:
    rule, page = one.entry.rule, one.entry.manual
    doubt = {"proven": "", "likely": "", "possible": " (possible: the evidence does not settle it)"}[one.hit.certainty]
    return Finding(
        rule=rule.id,
        cause=rule.slug,
        severity=rule.severity,
        summary=one.hit.summary + doubt,
        because=page.sections["What it means"],
        evidence=tuple(
            result.Evidence(source=line.source, line=redact_text(line.text.strip())[:_LONGEST])
            for line in one.hit.lines
        ),
        fix=Fix(text=page.sections["Fix"], safety=page.safety, commands=rule.by_hand(seen)),
        symptoms=tuple(symptoms),
    )


def _undecided(seen: Evidence) -> tuple[Unknown, ...]:
    """No cause was found. Healthy needs a model, or a GPU, that was seen to work; else more is needed."""
    what, command = next_step(seen)
    if symptom := placement.no_gpu(seen) or placement.not_on_gpu(seen):
        why = f"a model is not fully on the GPU, and nothing here says why: {redact_text(symptom.text.strip())[:200]}"
        return (Unknown(what="cause", why=why, allow=f"collect {what}: {command}"),)
    if not (placement.is_fully_on_gpu(seen) or placement.gpu_seen(seen)):
        why = "nothing here shows a GPU that works or a model on it"
        return (Unknown(what="cause", why=why, allow=f"collect {what}: {command}"),)
    return ()


def _headline(findings: list[Finding]) -> str:
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"{findings[0].summary}{more}"


def _looked(seen: Evidence) -> str:
    ruled_out = sum(bool(seen.kinds.intersection(entry.rule.needs)) for entry in catalogue())
    return f"{', '.join(seen.looked_at) or 'nothing'}; {ruled_out} of {len(catalogue())} known causes ruled out"

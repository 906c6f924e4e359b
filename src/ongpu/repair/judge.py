"""Did it help? A host before and after, through the same rules. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ongpu.host.reading import Known, value_or_none
from ongpu.host.result import FixState
from ongpu.host.snapshot import HostSnapshot
from ongpu.rules.catalogue import catalogue, entry_of
from ongpu.rules.diagnose import Diagnosis, diagnose
from ongpu.rules.evidence import Evidence
from ongpu.rules.from_snapshot import evidence_from


@dataclass(frozen=True)
class Look:
    """One snapshot, seen through every rule."""

    snapshot: HostSnapshot

    @cached_property
    def seen(self) -> Evidence:
        return evidence_from(self.snapshot)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        return diagnose(self.seen)

    @cached_property
    def fired(self) -> frozenset[str]:
        """Causes whose rule fires with more than a possibility, also where another cause explains them."""
        hits = {entry.rule.slug: entry.rule.check(self.seen) for entry in catalogue()}
        surer = {slug for slug, hit in hits.items() if hit and hit.certainty != "possible"}
        return frozenset(surer | {finding.cause for finding in self.diagnosis.findings})


def confirmed(cause: str, after: Look) -> tuple[FixState, str]:
    """`fixed`, `failing` or `unconfirmed` by the same rule on the look afterwards, and why."""
    if cause in after.fired:
        hit = entry_of(cause).rule.check(after.seen)
        return "failing", hit.summary if hit else "the rule still fires"
    if not isinstance(after.snapshot.service, Known):
        return "unconfirmed", "the host could not be looked at afterwards"
    if entry_of(cause).rule.answer(after.seen) == "unknown":
        return "unconfirmed", "what the rule looks at could not be read afterwards"
    return "fixed", ""


def worse(before: Look, after: Look) -> str:
    """Why the host is worse than before, in words; empty when it is not.

    A new warning is none: a model that lay on the CPU as a whole may, once the GPU works, prove to be too large for it.
    """
    if lost := _lost(before.snapshot, after.snapshot):
        return lost
    if not _gpus(before.snapshot):
        return ""  # no GPU worked: whatever shows itself now that one does was hidden before
    new = [
        finding
        for finding in after.diagnosis.findings
        if finding.severity == "critical" and finding.cause not in before.fired
    ]
    return f"new: {new[0].summary}" if new else ""


def _lost(before: HostSnapshot, after: HostSnapshot) -> str:
    """What worked before and does not now."""
    old, new = value_or_none(before.service), value_or_none(after.service)
    if old and new and old.is_running and not new.is_running:
        return f"ollama ran before and is {new.active_state} now"
    if _answers(before) and isinstance(after.api, Known) and not _answers(after):
        return "Ollama's API answered before and does not now"
    had, has = _gpus(before), _gpus(after)
    if had and isinstance(after.nvml, Known) and (has or 0) < had:
        return f"the driver talked to {had} GPUs before and talks to {has or 0} now"
    return ""


def _answers(snapshot: HostSnapshot) -> bool:
    api = value_or_none(snapshot.api)
    return bool(api and isinstance(api.version, Known))


def _gpus(snapshot: HostSnapshot) -> int | None:
    nvml = value_or_none(snapshot.nvml)
    gpus = value_or_none(nvml.gpus) if nvml else None
    return len(gpus) if gpus is not None else None

"""What a run says about hosts: one flat record per host, from which every report format is rendered.

The published JSON form is `schema_version` 1 of docs/design.md section 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ongpu.errors import Exit, worst

HostVerdict = Literal["ok", "findings", "failed", "refused", "unknown"]
Severity = Literal["critical", "warning", "info"]
Safety = Literal["safe", "restart", "reboot", "manual"]
FixState = Literal["planned", "fixed", "failing", "worse", "unconfirmed", "failed", "refused", "manual"]
ModelVerdict = Literal["verified", "not_verified", "disagreement", "unknown", "not_loaded"]
WitnessSays = Literal["yes", "no", "silent"]
AlertState = Literal["pending", "alert", "clearing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A line, and the command or file that it was read from."""

    source: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    text: str
    safety: Safety
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`summary` = subject, state, number; `because` = the cause in plain words."""

    rule: str
    cause: str
    severity: Severity
    summary: str
    because: str
    evidence: tuple[Evidence, ...]
    fix: Fix | None = None
    symptoms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Something that could not be looked at: `what`, `why`, and what would `allow` the look."""

    what: str
    why: str
    allow: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """What one witness says about one model: `yes` it is fully on the GPU, `no`, or `silent` with the reason."""

    __test__: ClassVar[bool] = False  # pytest would take the class for tests, because of its name

    witness: str
    says: WitnessSays
    why: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """`size_bytes`/`gpu_bytes` as the API reports them; `gpus` = indexes that hold the runner's memory. The rates are
    those of the timed generation; `roofline_tokens_per_second`: what the card's memory bandwidth allows at most;
    `advice`: what is worth a look although nothing is wrong.

    `not_loaded`: the look was not to load anything, and the model was seen not to be resident: neither good nor bad.
    """

    name: str
    verdict: ModelVerdict
    summary: str
    testimonies: tuple[Testimony, ...]
    size_bytes: int | None = None
    gpu_bytes: int | None = None
    context_length: int | None = None
    tokens_per_second: float | None = None
    prompt_tokens_per_second: float | None = None
    roofline_tokens_per_second: float | None = None
    advice: str = ""
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """A change for a report: `kind` is `change`, `deferred` or `blocked`; `state` what became of it; `cause`: the
    finding whose repair it is, if one was found."""

    resource: str
    kind: Literal["change", "deferred", "blocked"]
    summary: str
    diff: str = ""
    interrupts: Literal["none", "restart", "reboot"] = "none"
    state: Literal["planned", "done", "failed", "skipped"] = "planned"
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One GPU's memory at the time of the look. `models_bytes`: held by Ollama's runner processes; `used_bytes` is
    everybody's; `weights_bytes`, `kv_bytes`, `compute_bytes`: of `models_bytes`, by the runners' logs (the rest is CUDA
    itself). None = it was not said."""

    index: int
    uuid: str
    name: str
    total_bytes: int | None = None
    used_bytes: int | None = None
    models_bytes: int | None = None
    weights_bytes: int | None = None
    kv_bytes: int | None = None
    compute_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One cause on one host over several looks. `pending`: not yet seen often enough; `clearing`: was an alert, and is
    not seen any more, but not yet for long enough. `verdict`: what it made of the host; `since`: ISO 8601 UTC."""

    cause: str
    state: AlertState
    verdict: HostVerdict
    since: str
    looks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A time with one verdict, ISO 8601 UTC, from the history."""

    verdict: HostVerdict
    since: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFix:
    """What became of one finding in `ongpu fix`; `summary` says what is done for it, `why` how it ended.

    `fixed`, `failing`: the same rule on a fresh look. `worse`: and the host is worse than before; undone as far as it
    was ours. `unconfirmed`: done, but the look afterwards could not tell. `failed`: a step failed. `refused`: not
    allowed now. `manual`: only a person can, with `commands`. `planned`: a dry run.
    """

    rule: str
    cause: str
    state: FixState
    safety: Safety
    summary: str
    why: str = ""
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult:
    """Everything one run says about one host. `gpus` is a short text such as `2 x RTX 4060 8 GB`.

    `facts`: what may explain a change of verdict, by name (`driver`, `ollama`, `kernel`, `service_started_at`); only
    what is known. From the history: `alerts` (None = it was not asked), `past` (oldest first, up to now), and when the
    host could be read last.
    """

    host: str
    verdict: HostVerdict
    summary: str
    gpus: str = ""
    findings: tuple[Finding, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    changes: tuple[PlannedChange, ...] = ()
    fixes: tuple[RuleFix, ...] = ()
    models: tuple[ModelResult, ...] = ()
    devices: tuple[Device, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    alerts: tuple[Alert, ...] | None = None
    past: tuple[Past, ...] = ()
    last_read_at: str = ""

    @property
    def alarm(self) -> HostVerdict:
        """What counts for exit codes and alerts: the verdict, once its causes were seen often enough (`--debounce`)."""
        if self.alerts is None:
            return self.verdict
        return worst_verdict([alert.verdict for alert in self.alerts if alert.state != "pending"] or ["ok"])


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetResult:
    """One run over the fleet. Times are ISO 8601 UTC; `facts` are run-wide numbers such as `hosts`."""

    command: str
    started_at: str
    finished_at: str
    hosts: tuple[HostResult, ...]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> HostVerdict:
        """Of the worst host, as it was seen now."""
        return worst_verdict([host.verdict for host in self.hosts])

    @property
    def exit_code(self) -> Exit:
        return worst([EXIT_OF[host.alarm] for host in self.hosts])


def worst_verdict(verdicts: Sequence[HostVerdict]) -> HostVerdict:
    """In the order of the exit codes. Nothing was looked at: unknown."""
    code = worst([EXIT_OF[verdict] for verdict in verdicts])
    return next((verdict for verdict in verdicts if EXIT_OF[verdict] == code), "unknown")


EXIT_OF: Mapping[HostVerdict, Exit] = {
    "ok": Exit.OK,
    "findings": Exit.FINDINGS,
    "failed": Exit.FINDINGS,
    "refused": Exit.REFUSED,
    "unknown": Exit.UNKNOWN,
}

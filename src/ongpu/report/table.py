"""For people: what changed or would change, every model's proof, and every host that is not fine, worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ongpu.host.result import FleetResult, HostResult, HostVerdict, ModelResult
from ongpu.report import _findings, _fixes
from ongpu.report._text import columns, gib, number, percent, plural

_WORST_FIRST: tuple[HostVerdict, ...] = ("failed", "findings", "refused", "unknown", "ok")
_HEAD = ("HOST", "GPUS", "MODEL", "SIZE", "ON GPU", "CONTEXT", "TOKENS/S", "VERDICT", "WITNESSES")
_RIGHT = frozenset({3, 4, 5, 6})
_MARK = {"change": "~", "deferred": "…", "blocked": "!"}


def render(result: FleetResult) -> str:
    hosts = sorted(result.hosts, key=lambda host: (_WORST_FIRST.index(host.verdict), host.host))
    explain = result.command == "diagnose"
    healthy = list(_healthy(hosts)) if result.command in ("diagnose", "fix") else []
    parts = [
        list(_changes(hosts)),
        list(_fixes.lines(hosts)),
        list(_models(hosts)),
        list(_troubles(hosts, explain)),
        list(_advice(hosts)),
        healthy,
        [_last_line(result)],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _changes(hosts: list[HostResult]) -> Iterator[str]:
    """Hosts with the same changes stand together: a fleet-wide change is read once."""
    alike: dict[tuple[object, ...], list[HostResult]] = {}
    for host in sorted(hosts, key=lambda host: host.host):
        if host.changes:
            alike.setdefault((host.gpus, host.changes), []).append(host)
    for same in alike.values():
        count = f" ({len(same)} hosts)" if len(same) > 2 else ""
        yield f"{', '.join(host.host for host in same)}{count}  {same[0].gpus}".rstrip()
        for change in same[0].changes:
            state = "" if change.state == "planned" else f"  [{change.state}]"
            may = "may interrupt" if change.kind == "deferred" else "interrupts"
            cost = f"  ({may}: {change.interrupts})" if change.interrupts != "none" else ""
            cause = f"  (because of {change.cause})" if change.cause else ""
            yield f"  {_MARK[change.kind]} {change.resource}: {change.summary}{cost}{cause}{state}"
            if change.diff and change.state == "planned":
                yield from (f"      {line}" for line in change.diff.rstrip("\n").split("\n"))


def _models(hosts: list[HostResult]) -> Iterator[str]:
    rows = [_row(host, model) for host in sorted(hosts, key=lambda host: host.host) for model in host.models]
    if rows:
        yield from columns([_HEAD, *rows], _RIGHT)


def _row(host: HostResult, model: ModelResult) -> tuple[str, ...]:
    said = [f"{w.witness}{'' if w.says == 'yes' else ' SAYS NO'}" for w in model.testimonies if w.says != "silent"]
    # The timed generation has a column of its own; it testifies only where the inventory demands a speed.
    measured = {"generation"} if model.tokens_per_second is not None or model.verdict == "verified" else set()
    silent = [w.witness for w in model.testimonies if w.says == "silent" and w.witness not in measured]
    if model.verdict == "not_loaded":  # then all are silent, for that reason
        silent = []
    return (
        host.host,
        host.gpus,
        model.name,
        gib(model.size_bytes),
        percent(model.gpu_bytes, model.size_bytes),
        str(model.context_length or "-"),
        number(model.tokens_per_second),
        model.verdict.replace("_", " "),
        " ".join([*([", ".join(said)] if said else []), *([f"(silent: {', '.join(silent)})"] if silent else [])]),
    )


def _troubles(hosts: list[HostResult], explain: bool) -> Iterator[str]:
    for host in hosts:
        if host.verdict == "ok" or (host.verdict == "findings" and host.changes and not host.findings):
            continue
        yield f"{host.host}  {host.verdict.upper()}: {host.error or host.summary}"
        if explain:
            yield from _findings.lines(host)
        for finding in host.findings:
            if not explain and finding.summary not in (host.error, host.summary):
                yield f"  {finding.summary}"
        for model in host.models:
            if model.verdict not in ("verified", "not_loaded") and model.summary not in (host.error, host.summary):
                yield f"  {model.summary}"
        for unknown in host.unknowns:
            if unknown.allow:
                yield f"  {unknown.what}: {unknown.allow}"


def _advice(hosts: list[HostResult]) -> Iterator[str]:
    """Nothing is wrong there, but it is worth a look."""
    for host in hosts:
        for model in host.models:
            if model.advice:
                yield f"{host.host}  {model.name}: {model.advice}"


def _healthy(hosts: list[HostResult]) -> Iterator[str]:
    """A diagnosis that finds nothing says what it looked at."""
    for host in hosts:
        if host.verdict == "ok":
            yield f"{host.host}  OK: {host.summary}"
            yield from _findings.lines(host)


def _word(host: HostResult) -> str:
    if host.verdict != "findings":
        return host.verdict
    return "with findings" if host.findings else "to change"


def _last_line(result: FleetResult) -> str:
    words = ("ok", "unknown", "refused", "to change", "with findings", "failed")
    counts = Counter(_word(host) for host in result.hosts)
    told = ", ".join(f"{counts[word]} {word}" for word in words if counts[word])
    models = [model for host in result.hosts for model in host.models]
    on_gpu = sum(model.verdict == "verified" for model in models)
    idle = sum(model.verdict == "not_loaded" for model in models)
    proof = f"; {on_gpu} of {plural(len(models), 'model')} proven fully on GPU" if models else ""
    return f"{plural(len(result.hosts), 'host')}: {told}{proof}{f', {idle} not loaded now' if idle else ''}"

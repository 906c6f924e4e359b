"""One page for a browser: the fleet as a grid of hosts and checks, each host's details beneath it.

Self-contained: nothing is fetched, and the page forbids it (Content-Security-Policy). All texts are escaped by the
template engine. Works without JavaScript; with it, hosts can be sorted, filtered and folded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from ongpu.host.result import Device, FleetResult, HostResult, HostVerdict, Severity
from ongpu.report import _timeline as timeline
from ongpu.report._text import gib, number, percent, plural
from ongpu.report._timeline import TONES, Piece, Tone
from ongpu.resources import directory

_WORST_FIRST: tuple[HostVerdict, ...] = ("failed", "findings", "refused", "unknown", "ok")


@dataclass(frozen=True, slots=True)
class Cell:
    """A check's state: a tone (colour and sign) and words; `order` sorts the column, worst first."""

    tone: Tone
    text: str

    @property
    def order(self) -> int:
        return ("bad", "warn", "doubt", "idle", "good").index(self.tone)


Part = Literal["weights", "kv", "models", "others"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A GPU's memory: parts in percent of its total. `models`: what models hold besides weights and KV cache, or all
    that they hold where their logs do not say."""

    title: str
    text: str
    parts: tuple[tuple[Part, float], ...]

    @property
    def used(self) -> float:
        return sum(share for _, share in self.parts)


@dataclass(frozen=True, slots=True)
class Row:
    host: HostResult
    tone: Tone
    order: int
    look: Cell
    declared: Cell
    models: Cell
    findings: Cell
    bars: tuple[Bar, ...]
    used: float
    line: tuple[Piece, ...]
    bad: float  # share of the time line, for sorting
    diffs: tuple[tuple[str, str], ...]  # per change: its diff, or the host above that shows the same one


def render(result: FleetResult) -> str:
    hosts = sorted(result.hosts, key=lambda host: (_WORST_FIRST.index(host.verdict), host.host))
    counts = Counter(host.verdict for host in hosts)
    shown: dict[str, str] = {}
    start, end = timeline.span(host.past for host in hosts)
    worst = hosts[0].verdict if hosts else "unknown"
    return _template().render(
        result=result,
        rows=[_row(host, shown, start, end) for host in hosts],
        days=timeline.words(start, end),
        counts=[(verdict, counts[verdict], TONES[verdict]) for verdict in _WORST_FIRST if counts[verdict]],
        worst=worst,
        tone=TONES[worst],
        total=plural(len(hosts), "host"),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(directory("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"gib": gib, "number": number}
    environment.globals |= {"percent": percent}
    return environment.get_template("report.html.j2")


def _row(host: HostResult, shown: dict[str, str], start: float, end: float) -> Row:
    line = tuple(timeline.pieces(host.past, start, end))
    bars = tuple(bar for device in host.devices if (bar := _bar(device)))
    return Row(
        host=host,
        tone=TONES[host.verdict],
        order=_WORST_FIRST.index(host.verdict),
        look=_look(host),
        declared=_declared(host),
        models=_models(host),
        findings=_findings(host),
        bars=bars,
        used=max((bar.used for bar in bars), default=-1.0),
        line=line,
        bad=sum(piece.width for piece in line if piece.tone in ("bad", "warn", "doubt")),
        diffs=tuple(_diff(change.diff, host.host, shown) for change in host.changes),
    )


def _diff(diff: str, host: str, shown: dict[str, str]) -> tuple[str, str]:
    """A change of the whole fleet is written out once: a thousand copies would be most of the page."""
    first = shown.setdefault(diff, host)
    return (diff, "") if first == host else ("", first if diff else "")


def _seen(host: HostResult) -> bool:
    return bool(host.facts or host.changes or host.models)


def _look(host: HostResult) -> Cell:
    if not _seen(host) and host.verdict == "unknown":
        return Cell("doubt", host.unknowns[0].what if host.unknowns else "not read")
    return Cell("doubt", f"{len(host.unknowns)} unread") if host.unknowns else Cell("good", "read")


def _declared(host: HostResult) -> Cell:
    left = Counter(change.kind for change in host.changes if change.state != "done")
    failed = sum(change.state == "failed" for change in host.changes)
    if failed:
        return Cell("bad", f"{failed} failed")
    if left["change"] or left["deferred"]:
        return Cell("warn", f"{left['change'] + left['deferred']} to change")
    if left["blocked"]:
        return Cell("warn" if host.verdict in ("findings", "refused") else "doubt", f"{left['blocked']} blocked")
    return Cell("good", "as declared") if _seen(host) else Cell("doubt", "not known")


def _models(host: HostResult) -> Cell:
    counts = Counter(model.verdict for model in host.models)
    total = len(host.models)
    if bad := counts["not_verified"] + counts["disagreement"]:
        return Cell("bad", f"{bad} of {total} not on GPU")
    if counts["unknown"]:
        return Cell("doubt", f"{counts['unknown']} of {total} not proven")
    if counts["verified"]:
        return Cell("good", f"{counts['verified']} of {total} on GPU")
    if total:
        return Cell("idle", f"0 of {total} loaded")
    return Cell("idle", "none") if _seen(host) else Cell("doubt", "not known")


def _findings(host: HostResult) -> Cell:
    if not host.findings:
        return Cell("idle", "none") if _seen(host) else Cell("doubt", "not known")
    severities = Counter(finding.severity for finding in host.findings)
    tones: Mapping[Severity, Tone] = {"critical": "bad", "warning": "warn", "info": "idle"}
    worst = next(severity for severity in tones if any(finding.severity == severity for finding in host.findings))
    return Cell(tones[worst], f"{severities[worst]} {worst}")


def _bar(device: Device) -> Bar | None:
    total = device.total_bytes
    if not total or device.used_bytes is None:
        return None
    used = min(device.used_bytes, total)
    models = min(device.models_bytes or 0, used)
    weights = min(device.weights_bytes or 0, models)
    kv = min(device.kv_bytes or 0, models - weights)
    sizes: tuple[tuple[Part, int], ...] = (
        ("weights", weights),
        ("kv", kv),
        ("models", models - weights - kv),
        ("others", used - models),
    )
    held = f", {gib(device.models_bytes)} by models" if device.models_bytes is not None else ""
    if weights or kv:
        held += f" ({gib(weights)} weights, {gib(kv)} KV cache)"
    return Bar(
        title=f"GPU {device.index} {device.name}: {gib(used)} of {gib(total)} used{held}, {gib(total - used)} free",
        text=f"{used / 2**30:.1f}/{total / 2**30:.0f} GiB",
        parts=tuple((name, round(100 * size / total, 1)) for name, size in sizes if size),
    )


assert set(_WORST_FIRST) == set(get_args(HostVerdict))  # noqa: S101 - a new verdict needs a place in the order

"""The history as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ongpu.history.alerts import Watched
from ongpu.history.models import ModelSpan
from ongpu.history.spans import Span, differences
from ongpu.history.store import HostState, Run
from ongpu.host.result import HostVerdict
from ongpu.report._text import columns, number, plural

_WORST_FIRST: tuple[HostVerdict, ...] = ("failed", "findings", "refused", "unknown", "ok")
_STATES = 12  # of the state log: about four runs of `ongpu apply`


def fleet_lines(present: Sequence[Span], runs: Sequence[Run]) -> list[str]:
    """Each host's present state, worst and newest first; then the last runs."""
    ordered = sorted(present, key=lambda span: span.since, reverse=True)
    ordered.sort(key=lambda span: _WORST_FIRST.index(span.verdict))
    rows = [("HOST", "VERDICT", "SINCE", "LAST SEEN", "LOOKS", "SUMMARY")]
    rows += [
        (span.host, span.verdict, when(span.since), when(span.last_seen), str(span.looks), span.summary)
        for span in ordered
    ]
    lines = columns(rows, frozenset({4})) if present else ["no host was looked at yet"]
    if runs:
        past = [("RUN", "VERB", "STARTED", "FINISHED", "EXIT")]
        past += [(run.id, run.command, when(run.started_at), _end(run), _code(run)) for run in runs]
        lines += ["", *columns(past, frozenset({4}))]
    return lines


def host_lines(way: Sequence[Span], states: Sequence[HostState]) -> list[str]:
    """One host's spans, newest first, each with what changed just before it; then its way through the last runs."""
    lines = [line for part in _steps(way) for line in part]
    if states:
        rows = [("AT", "RUN", "STATE", "MESSAGE")]
        rows += [(when(state.at), state.run, state.state, state.message) for state in states[-_STATES:]]
        lines += [*([""] if lines else []), *columns(rows)]
    return lines


def alert_lines(watched: Sequence[Watched]) -> list[str]:
    """What is or was an alert, newest last; and what was not seen often enough yet."""
    words = {"pending": "not yet an alert", "alert": "ALERT", "clearing": "clearing"}
    rows = [
        (
            "over" if one.ended_at else words[one.state],
            one.host,
            when(one.since),
            when(one.ended_at) if one.ended_at else "now",
            str(one.looks),
            one.cause,
        )
        for one in watched
    ]
    return columns([("ALERT", "HOST", "SINCE", "UNTIL", "LOOKS", "CAUSE"), *rows], frozenset({4})) if rows else []


def model_lines(proofs: Sequence[ModelSpan]) -> list[str]:
    """Each model's verdicts over time."""
    rows = [
        (
            one.model,
            one.verdict.replace("_", " "),
            when(one.since),
            when(one.last_seen),
            str(one.looks),
            number(one.tokens_per_second),
        )
        for one in proofs
    ]
    head = ("MODEL", "VERDICT", "SINCE", "LAST SEEN", "LOOKS", "TOKENS/S")
    return columns([head, *rows], frozenset({4, 5})) if rows else []


def _steps(way: Sequence[Span]) -> Iterator[list[str]]:
    changed = [(), *(differences(before, after) for before, after in pairwise(way))]
    for place in reversed(range(len(way))):
        span = way[place]
        until = "now" if place == len(way) - 1 else when(way[place + 1].since)
        looks = f"{plural(span.looks, 'look')}, last {when(span.last_seen)}"
        yield [
            f"{when(span.since)} to {until}  {span.verdict.upper()}  ({looks})",
            f"  {span.summary}",
            *(f"  - {cause}" for cause in span.causes),
            *(f"  changed before: {change}" for change in changed[place]),
        ]


def when(text: str | None) -> str:
    """`2026-11-24T10:00:00.123+00:00` -> `2026-11-24 10:00:00Z`."""
    return f"{text[:19].replace('T', ' ')}Z" if text else "-"


def _end(run: Run) -> str:
    return when(run.finished_at) if run.finished_at else "not finished"


def _code(run: Run) -> str:
    return "-" if run.exit_code is None else str(run.exit_code)

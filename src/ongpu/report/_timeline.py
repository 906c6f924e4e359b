"""A host's past as a line: which verdict for how long. What lies between two looks that saw different things is taken
for what was seen before; time without any look stays empty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

from ongpu.host.result import HostVerdict, Past

Tone = Literal["good", "bad", "warn", "doubt", "idle"]
TONES: Mapping[HostVerdict, Tone] = {
    "ok": "good",
    "findings": "warn",
    "failed": "bad",
    "refused": "warn",
    "unknown": "doubt",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """`width` in percent of the whole line; tone `idle` = nobody looked."""

    tone: Tone
    width: float
    title: str


def span(pasts: Iterable[tuple[Past, ...]]) -> tuple[float, float]:
    """Seconds since the epoch of the first and of the last look at any host; equal ones = there is no past."""
    ends = [at for past in pasts for piece in past for at in (_seconds(piece.since), _seconds(piece.until)) if at]
    return (min(ends), max(ends)) if ends else (0.0, 0.0)


def words(start: float, end: float) -> str:
    """`14 days`, `3 hours`, `hour`; empty when there is no past."""
    seconds = end - start
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {unit}s" if count > 1 else unit
    return ""


def pieces(past: tuple[Past, ...], start: float, end: float) -> Iterator[Piece]:
    """Oldest first; their widths are 100 together, or there are none."""
    total = end - start
    past = tuple(piece for piece in past if _seconds(piece.since) and _seconds(piece.until))
    if not past or total < 60:
        return
    first = _seconds(past[0].since)
    if first > start:
        yield Piece("idle", _percent(first - start, total), "not looked at")
    for piece, following in pairwise((*past, Past(verdict="ok", since=past[-1].until, until=past[-1].until))):
        since = _seconds(piece.since)
        until = max(since, _seconds(following.since))
        yield Piece(
            TONES[piece.verdict], _percent(until - since, total), f"{piece.verdict} {_clock(since)} to {_clock(until)}"
        )
    if (last := _seconds(past[-1].until)) < end:
        yield Piece("idle", _percent(end - last, total), "not looked at")


def _percent(part: float, total: float) -> float:
    return round(100 * part / total, 2)


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%b %d %H:%M}"

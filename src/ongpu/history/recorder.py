"""A looking run's way through the history: every result gets what is known of its host's past, and is written down.

Results stream; they are written in portions, in one transaction each, and all of them before anything is reported.
After a first failure the database is left alone (a locked one costs two seconds each time), and what it said before
holds no alert back: without a history everything counts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ongpu.errors import worst
from ongpu.history import alerts, models, reads, spans
from ongpu.history.store import Store
from ongpu.host.result import EXIT_OF, HostResult, Past

_AT_ONCE = 50  # results per transaction: what a kill may lose, and what a locked database may cost
_PAST = timedelta(days=14)  # as much as a report shows
_PIECES = 40


class Recorder:
    """`looks`: how many in a row make an alert. The clock is passed in."""

    def __init__(self, store: Store, command: str, looks: int, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.command = command
        self.looks = looks
        self.clock = clock
        self.run = ""
        self._before: Mapping[str, tuple[alerts.Watched, ...]] = {}
        self._after: dict[str, tuple[alerts.Watched, ...]] = {}
        self._past: Mapping[str, tuple[Past, ...]] = {}
        self._reads: Mapping[str, str] = {}

    def recorded(self, streamed: Iterable[HostResult]) -> Iterator[HostResult]:
        """Passes results on with their past. The run begins with the first one: an inventory that cannot be read is no
        run."""
        waiting: list[HostResult] = []
        for result in streamed:
            if not self.run:
                self._begin()
            told = self._told(result)
            waiting.append(told)
            if len(waiting) >= _AT_ONCE:
                self._write(waiting)
            yield told
        self._write(waiting)

    def finish(self, exit_code: int, keep: timedelta) -> None:
        """The run is over; what ended longer ago than `keep` is forgotten."""
        if self.store.broken:
            return
        before = self.clock() - keep
        text = alerts.moment(before)
        self.store.together(
            lambda: self.store.finish(self.run, exit_code) if self.run else None,
            lambda: self.store.forget(before),
            lambda: spans.forget(self.store, before),
            lambda: alerts.forget(self.store, before),
            lambda: models.forget(self.store, text),
            lambda: reads.forget(self.store, text),
        )

    def _begin(self) -> None:
        self.run = self.store.begin(self.command, [])
        if not self.store.broken:
            self.store.together(self._remember)

    def _remember(self) -> None:
        self._before = alerts.present(self.store)
        self._past = _pasts(spans.since(self.store, self.clock() - _PAST))
        self._reads = reads.last(self.store)

    def _told(self, result: HostResult) -> HostResult:
        if self.store.broken:
            return result
        at = self.clock()
        now = alerts.moment(at)
        rows = alerts.observe(self._before.get(result.host, ()), result, at, self.looks)
        self._after[result.host] = rows
        past = _longer(self._past.get(result.host, ()), Past(verdict=result.verdict, since=now, until=now))
        return replace(
            result,
            # Without debounce the exit code is that of this look alone, also where it could not see much.
            alerts=tuple(row.shown() for row in rows if not row.ended_at and (self.looks > 1 or row.last_seen == now)),
            past=past[-_PIECES:],
            last_read_at=now if result.facts else self._reads.get(result.host, ""),
        )

    def _write(self, waiting: list[HostResult]) -> None:
        at = self.clock()
        now = alerts.moment(at)
        fresh = {result.host: result.last_read_at for result in waiting if result.facts}
        if waiting and not self.store.broken:
            self.store.together(
                lambda: spans.record(self.store, self.command, waiting, at),
                lambda: alerts.keep(self.store, self._after),
                lambda: models.record(self.store, waiting, now),
                lambda: reads.note(self.store, fresh),
            )
        waiting.clear()
        self._after = {}


def proofs(store: Store, streamed: Iterable[HostResult], clock: Callable[[], datetime]) -> Iterator[HostResult]:
    """A verification's way through it: each host's state and each model's verdict. It says nothing about what is
    declared, so it neither begins nor ends a span of the host."""
    run, seen = "", []
    for result in streamed:
        run = run or store.begin("verify", [])
        seen.append(result)
        if not store.broken:
            store.note(run, result.host, "completed" if result.verdict == "ok" else "error", result.summary)
            models.record(store, [result], alerts.moment(clock()))
        yield result
    if run and not store.broken:
        store.finish(run, int(worst([EXIT_OF[result.verdict] for result in seen])))


def now() -> datetime:
    return datetime.now(UTC)


def _pasts(found: Iterable[spans.Span]) -> Mapping[str, tuple[Past, ...]]:
    """By host, oldest first; spans with one verdict for different causes are one piece."""
    pasts: dict[str, tuple[Past, ...]] = {}
    for span in found:
        piece = Past(verdict=span.verdict, since=span.since, until=span.last_seen)
        pasts[span.host] = _longer(pasts.get(span.host, ()), piece)
    return pasts


def _longer(past: tuple[Past, ...], piece: Past) -> tuple[Past, ...]:
    if past and past[-1].verdict == piece.verdict:
        return (*past[:-1], replace(past[-1], until=piece.until))
    return (*past, piece)

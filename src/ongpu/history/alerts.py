"""When does what was seen become an alert, and when is an alert over (`ongpu drift --debounce N`).

A cause counts after N looks in a row, and is over when it was not seen in two (with N = 1: in one). A look that could
not see everything ends nothing: unknown is never healthy. Ended alerts stay in the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ongpu.history.spans import causes_of
from ongpu.history.store import Store, ensure
from ongpu.host.result import Alert, AlertState, HostResult, HostVerdict

_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    host TEXT NOT NULL, cause TEXT NOT NULL, verdict TEXT NOT NULL, since TEXT NOT NULL, last_seen TEXT NOT NULL,
    looks INTEGER NOT NULL, missed INTEGER NOT NULL, alerted_at TEXT NOT NULL, ended_at TEXT NOT NULL,
    PRIMARY KEY (host, cause, since)
);
"""
_FIELDS = "host, cause, verdict, since, last_seen, looks, missed, alerted_at, ended_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One row. Times are ISO 8601 UTC; `alerted_at` is empty before it counts, `ended_at` while it lasts.

    `looks`: in a row with it; `missed`: in a row without it, since it was last seen.
    """

    host: str
    cause: str
    verdict: HostVerdict
    since: str
    last_seen: str
    looks: int
    missed: int = 0
    alerted_at: str = ""
    ended_at: str = ""

    @property
    def state(self) -> AlertState:
        if not self.alerted_at:
            return "pending"
        return "clearing" if self.missed else "alert"

    def shown(self) -> Alert:
        """For a report."""
        return Alert(cause=self.cause, state=self.state, verdict=self.verdict, since=self.since, looks=self.looks)


def observe(before: Iterable[Watched], result: HostResult, at: datetime, looks: int) -> tuple[Watched, ...]:
    """The host's causes after this look, those that just ended among them. `looks`: how many make an alert."""
    now = moment(at)
    seen = causes_of(result) or (() if result.verdict == "ok" else (result.verdict,))
    known = {one.cause: one for one in before if not one.ended_at}
    after = [_seen(known.get(cause), result, cause, now, looks) for cause in seen]
    gone = [one for cause, one in known.items() if cause not in seen]
    if result.unknowns or result.verdict == "unknown":
        return (*after, *gone)
    # What never was an alert is forgotten at once.
    return (*after, *(_missed(one, now, min(looks, 2)) for one in gone if one.alerted_at))


def _seen(before: Watched | None, result: HostResult, cause: str, now: str, looks: int) -> Watched:
    if before is None:
        before = Watched(host=result.host, cause=cause, verdict=result.verdict, since=now, last_seen=now, looks=0)
    count = before.looks + 1
    alerted = before.alerted_at or (now if count >= looks else "")
    return replace(before, verdict=result.verdict, last_seen=now, looks=count, missed=0, alerted_at=alerted)


def _missed(before: Watched, now: str, enough: int) -> Watched:
    missed = before.missed + 1
    return replace(before, missed=missed, ended_at=now if missed >= enough else "")


def present(store: Store) -> Mapping[str, tuple[Watched, ...]]:
    """By host: what has not ended."""
    rows: dict[str, tuple[Watched, ...]] = {}
    for one in _read(store, "WHERE ended_at = '' ORDER BY since", ()):
        rows[one.host] = (*rows.get(one.host, ()), one)
    return rows


def log_of(store: Store, host: str) -> list[Watched]:
    """A host's alerts, those that have ended too, oldest first."""
    return _read(store, "WHERE host = ? AND alerted_at != '' ORDER BY since", (host,))


def keep(store: Store, after: Mapping[str, tuple[Watched, ...]]) -> None:
    """Replaces these hosts' rows that had not ended, in one transaction."""

    def write(db: sqlite3.Connection) -> None:
        ensure(db, _SCHEMA)
        for host, rows in after.items():
            db.execute("DELETE FROM alerts WHERE host = ? AND ended_at = ''", (host,))
            db.executemany(
                f"INSERT OR REPLACE INTO alerts ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                [tuple(getattr(row, name) for name in Watched.__slots__) for row in rows],
            )

    store.use(write, None)


def forget(store: Store, before: datetime) -> None:
    """Retention: what was last seen before this moment is gone."""

    def delete(db: sqlite3.Connection) -> None:
        ensure(db, _SCHEMA)
        db.execute("DELETE FROM alerts WHERE last_seen < ?", (moment(before),))

    store.use(delete, None)


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _read(store: Store, where: str, values: tuple[str, ...]) -> list[Watched]:
    def read(db: sqlite3.Connection) -> list[Watched]:
        ensure(db, _SCHEMA)
        rows = db.execute(f"SELECT {_FIELDS} FROM alerts {where}", values)  # noqa: S608
        return [Watched(**dict(zip(Watched.__slots__, row, strict=True))) for row in rows]

    return store.use(read, [])

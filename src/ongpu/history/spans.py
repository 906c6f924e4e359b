"""Since when is a host as it is: looks that saw the same are one row, so a check every five minutes costs no space.

A span begins when a host is first seen with a verdict and its causes, and ends when something else is seen. What may
explain the step from one span to the next are the facts (driver, service start, kernel) that differ between them.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ongpu.history.store import Store, ensure
from ongpu.host.result import HostResult, HostVerdict

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
    host TEXT NOT NULL, verdict TEXT NOT NULL, fingerprint TEXT NOT NULL, since TEXT NOT NULL, last_seen TEXT NOT NULL,
    looks INTEGER NOT NULL, command TEXT NOT NULL, summary TEXT NOT NULL, causes TEXT NOT NULL,
    first_facts TEXT NOT NULL, last_facts TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS spans_by_host ON spans (host);
"""
_FIELDS = "host, verdict, since, last_seen, looks, command, summary, causes, first_facts, last_facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A host's time with one verdict and the same causes. `command`: the verb that saw it first; times are ISO 8601
    UTC; facts as in HostResult, at the first and at the last look that could read any."""

    host: str
    verdict: HostVerdict
    since: str
    last_seen: str
    looks: int
    command: str
    summary: str
    causes: tuple[str, ...]
    first_facts: Mapping[str, str]
    last_facts: Mapping[str, str]


def causes_of(result: HostResult) -> tuple[str, ...]:
    """What makes two looks differ: findings, planned changes, failed proofs, doubts; not what is loaded just now."""
    findings = [f"{one.rule} {one.cause}" for one in result.findings if one.severity != "info"]
    changes = [f"{one.resource}: {one.summary}" for one in result.changes if one.state != "done"]
    models = [
        f"{one.name}: {one.verdict.replace('_', ' ')}"
        for one in result.models
        if one.verdict not in ("verified", "not_loaded")
    ]
    return tuple(dict.fromkeys([*findings, *changes, *models, *(f"unknown: {one.what}" for one in result.unknowns)]))


def record(store: Store, command: str, results: Iterable[HostResult], at: datetime | None = None) -> None:
    """Adds one look at each of these hosts, in one transaction."""
    now = (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
    rows = list(results)

    def write(db: sqlite3.Connection) -> None:
        ensure(db, _SCHEMA)
        for result in rows:
            _add(db, command, result, now)

    store.use(write, None)


def _add(db: sqlite3.Connection, command: str, result: HostResult, now: str) -> None:
    causes = json.dumps(causes_of(result))
    seen = hashlib.sha256(f"{result.verdict} {causes}".encode()).hexdigest()[:16]
    last = db.execute(
        "SELECT rowid, fingerprint, last_facts FROM spans WHERE host = ? ORDER BY rowid DESC LIMIT 1", (result.host,)
    ).fetchone()
    # A host that could not be read keeps the facts that were last known: the next look is compared with those.
    facts = json.dumps(dict(result.facts)) if result.facts else (last[2] if last else "{}")
    if last and last[1] == seen:
        update = "UPDATE spans SET last_seen = ?, looks = looks + 1, summary = ?, last_facts = ? WHERE rowid = ?"
        db.execute(update, (now, result.summary[:2000], facts, last[0]))
        return
    insert = f"INSERT INTO spans ({_FIELDS}, fingerprint) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    values = (result.host, result.verdict, now, now, command, result.summary[:2000], causes, facts, facts, seen)
    db.execute(insert, values)


def spans(store: Store, host: str) -> list[Span]:
    """One host's spans, oldest first."""
    return _read(store, "WHERE host = ? ORDER BY rowid", (host,))


def latest(store: Store) -> list[Span]:
    """Each host's present span, by host name."""
    return _read(store, "WHERE rowid IN (SELECT max(rowid) FROM spans GROUP BY host) ORDER BY host", ())


def since(store: Store, moment: datetime) -> list[Span]:
    """All hosts' spans that lasted until this moment or began after it, oldest first."""
    limit = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return _read(store, "WHERE last_seen >= ? ORDER BY rowid", (limit,))


def forget(store: Store, before: datetime) -> None:
    """Retention: spans that ended before this moment are gone, with hosts that were last seen before it."""
    limit = before.astimezone(UTC).isoformat(timespec="milliseconds")

    def delete(db: sqlite3.Connection) -> None:
        ensure(db, _SCHEMA)
        db.execute("DELETE FROM spans WHERE last_seen < ?", (limit,))

    store.use(delete, None)


def _read(store: Store, where: str, values: tuple[str, ...]) -> list[Span]:
    def read(db: sqlite3.Connection) -> list[Span]:
        ensure(db, _SCHEMA)
        return [_span(row) for row in db.execute(f"SELECT {_FIELDS} FROM spans {where}", values)]  # noqa: S608

    return store.use(read, [])


def _span(row: tuple[str, HostVerdict, str, str, int, str, str, str, str, str]) -> Span:
    host, verdict, since, last_seen, looks, command, summary, causes, first, last = row
    return Span(
        host=host,
        verdict=verdict,
        since=since,
        last_seen=last_seen,
        looks=looks,
        command=command,
        summary=summary,
        causes=tuple(json.loads(causes)),
        first_facts=json.loads(first),
        last_facts=json.loads(last),
    )


def differences(before: Span, after: Span) -> tuple[str, ...]:
    """`driver_library 580.95.05 -> 580.105.08`: between the last look of one span and the first of the other."""
    old, new = before.last_facts, after.first_facts
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    return tuple(f"{name} {old.get(name, '(not known)')} -> {new.get(name, '(not known)')}" for name in names)

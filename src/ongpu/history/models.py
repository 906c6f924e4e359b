"""Each model's verdicts on each host: looks that saw the same are one row, with the speed that was measured last."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from ongpu.history.store import Store, ensure
from ongpu.host.result import HostResult, ModelVerdict

_SCHEMA = """
CREATE TABLE IF NOT EXISTS models (
    host TEXT NOT NULL, model TEXT NOT NULL, verdict TEXT NOT NULL, since TEXT NOT NULL, last_seen TEXT NOT NULL,
    looks INTEGER NOT NULL, summary TEXT NOT NULL, tokens_per_second REAL
);
CREATE INDEX IF NOT EXISTS models_by_host ON models (host, model);
"""
_FIELDS = "host, model, verdict, since, last_seen, looks, summary, tokens_per_second"


@dataclass(frozen=True, slots=True)
class ModelSpan:
    """A model's time with one verdict; times are ISO 8601 UTC."""

    host: str
    model: str
    verdict: ModelVerdict
    since: str
    last_seen: str
    looks: int
    summary: str
    tokens_per_second: float | None


def record(store: Store, results: Iterable[HostResult], now: str) -> None:
    """One look at the models of these hosts, in one transaction. A model that is just not loaded says nothing new."""
    rows = [(host.host, model) for host in results for model in host.models if model.verdict != "not_loaded"]

    def write(db: sqlite3.Connection) -> None:
        ensure(db, _SCHEMA)
        for host, model in rows:
            last = db.execute(
                "SELECT rowid, verdict FROM models WHERE host = ? AND model = ? ORDER BY rowid DESC LIMIT 1",
                (host, model.name),
            ).fetchone()
            summary, speed = model.summary[:2000], model.tokens_per_second
            if last and last[1] == model.verdict:
                db.execute(
                    "UPDATE models SET last_seen = ?, looks = looks + 1, summary = ?,"
                    " tokens_per_second = coalesce(?, tokens_per_second) WHERE rowid = ?",
                    (now, summary, speed, last[0]),
                )
            else:
                values = (host, model.name, model.verdict, now, now, 1, summary, speed)
                db.execute(f"INSERT INTO models ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608

    if rows:
        store.use(write, None)


def spans(store: Store, host: str) -> list[ModelSpan]:
    """A host's model verdicts, oldest first."""

    def read(db: sqlite3.Connection) -> list[ModelSpan]:
        ensure(db, _SCHEMA)
        query = f"SELECT {_FIELDS} FROM models WHERE host = ? ORDER BY rowid"  # noqa: S608
        return [ModelSpan(*row) for row in db.execute(query, (host,))]

    return store.use(read, [])


def forget(store: Store, before: str) -> None:
    """Retention: spans that ended before this moment (ISO 8601 UTC) are gone."""

    def delete(db: sqlite3.Connection) -> None:
        ensure(db, _SCHEMA)
        db.execute("DELETE FROM models WHERE last_seen < ?", (before,))

    store.use(delete, None)

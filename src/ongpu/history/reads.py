"""When each host could be read last: a check that is blind for days must not look like a quiet one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from ongpu.history.store import Store, ensure

_SCHEMA = "CREATE TABLE IF NOT EXISTS reads (host TEXT PRIMARY KEY, at TEXT NOT NULL);"


def last(store: Store) -> Mapping[str, str]:
    """Host -> ISO 8601 UTC."""

    def read(db: sqlite3.Connection) -> dict[str, str]:
        ensure(db, _SCHEMA)
        return dict(db.execute("SELECT host, at FROM reads"))

    return store.use(read, {})


def note(store: Store, reads: Mapping[str, str]) -> None:
    """Host -> when it was read, in one transaction."""

    def write(db: sqlite3.Connection) -> None:
        ensure(db, _SCHEMA)
        db.executemany("INSERT OR REPLACE INTO reads (host, at) VALUES (?, ?)", list(reads.items()))

    store.use(write, None)


def forget(store: Store, before: str) -> None:
    """Retention: hosts that were last read before this moment (ISO 8601 UTC) are gone."""

    def delete(db: sqlite3.Connection) -> None:
        ensure(db, _SCHEMA)
        db.execute("DELETE FROM reads WHERE at < ?", (before,))

    store.use(delete, None)

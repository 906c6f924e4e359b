"""Is anybody still looking? A check that has stopped must not look like one that finds nothing."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from ongpu.history import reads
from ongpu.history.store import Store
from ongpu.host.duration import in_words


def sentences(store: Store, allowed: timedelta, now: datetime, host: str | None = None) -> list[str]:
    """One for the whole check, when none has ended within `allowed`; one per host that was not read within it."""
    told = []
    ended = _last_end(store)
    if ended is None:
        told.append("SILENT: no `ongpu drift` has ever ended here; see the timer or crontab")
    elif now - ended > allowed:
        told.append(
            f"SILENT: the last `ongpu drift` ended {in_words(now - ended)} ago, {_clock(ended)}, "
            f"{in_words(allowed)} allowed; see the timer or crontab"
        )
    for name, at in sorted(reads.last(store).items()):
        if host in (None, name) and now - datetime.fromisoformat(at) > allowed:
            then = datetime.fromisoformat(at)
            told.append(f"SILENT: {name} was read {in_words(now - then)} ago, {_clock(then)}, and not since")
    return told


def _last_end(store: Store) -> datetime | None:
    query = "SELECT max(finished_at) FROM runs WHERE command = 'drift'"

    def read(db: sqlite3.Connection) -> str | None:
        row = db.execute(query).fetchone()
        return row[0] if row else None

    found = store.use(read, None)
    return datetime.fromisoformat(found) if found else None


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"

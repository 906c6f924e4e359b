"""The state log: each run, and each host's way through it (idle -> processing -> completed | error).

One SQLite file, by default `history/ongpu.sqlite3` beside the inventory. Write-ahead logging: readers never
block a run, and what was written survives a kill.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

log = logging.getLogger("ongpu")

T = TypeVar("T", bound=Any)
State = Literal["idle", "processing", "completed", "error"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, command TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, exit_code INTEGER
);
CREATE TABLE IF NOT EXISTS host_states (
    run TEXT NOT NULL REFERENCES runs(id), host TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('idle', 'processing', 'completed', 'error')),
    at TEXT NOT NULL, message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS host_states_by_host ON host_states (host, at);
"""


@dataclass(frozen=True, slots=True)
class HostState:
    """One row of the state log; `at` is ISO 8601 UTC."""

    run: str
    host: str
    state: State
    at: str
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """One row per run; times are ISO 8601 UTC. Without `finished_at` it runs, or was killed."""

    id: str
    command: str
    started_at: str
    finished_at: str | None
    exit_code: int | None


class Store:
    """The database. Every method survives a missing, locked, read-only or corrupt file: it warns once and goes on."""

    PATIENCE = 2.0  # seconds that a database may be locked by another run

    def __init__(self, path: Path) -> None:
        self.path = path
        self._broken = False
        self._db: sqlite3.Connection | None = None
        self._open: sqlite3.Connection | None = None  # inside of `together`

    def begin(self, command: str, hosts: list[str]) -> str:
        """A new run with every host `idle`. Returns the run's id."""
        run, now = uuid.uuid4().hex[:12], _now()

        def write(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO runs (id, command, started_at) VALUES (?, ?, ?)", (run, command, now))
            db.executemany(_INSERT, [(run, host, "idle", now, "") for host in hosts])

        self.use(write, None)
        return run

    def note(self, run: str, host: str, state: State, message: str = "") -> None:
        """A host's next state in a run."""
        self.use(lambda db: db.execute(_INSERT, (run, host, state, _now(), message[:2000])), None)

    def finish(self, run: str, exit_code: int) -> None:
        """The run is over. A run without this was killed."""
        end = "UPDATE runs SET finished_at = ?, exit_code = ? WHERE id = ?"
        self.use(lambda db: db.execute(end, (_now(), exit_code, run)), None)

    def states(self, host: str | None = None) -> list[HostState]:
        """The log in the order in which it was written, of one host or of all."""
        query = "SELECT run, host, state, at, message FROM host_states WHERE ?1 IS NULL OR host = ?1 ORDER BY rowid"
        return self.use(lambda db: [HostState(*row) for row in db.execute(query, (host,))], [])

    @property
    def broken(self) -> bool:
        """Something could not be read or written; it was said."""
        return self._broken

    def runs(self, limit: int) -> list[Run]:
        """The last runs, newest first."""
        query = "SELECT id, command, started_at, finished_at, exit_code FROM runs ORDER BY rowid DESC LIMIT ?"
        return self.use(lambda db: [Run(*row) for row in db.execute(query, (limit,))], [])

    def forget(self, before: datetime) -> None:
        """Retention: runs and states from before this moment are gone."""
        limit = before.astimezone(UTC).isoformat(timespec="milliseconds")

        def delete(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM host_states WHERE at < ?", (limit,))
            db.execute("DELETE FROM runs WHERE started_at < ?", (limit,))

        self.use(delete, None)

    def close(self) -> None:
        """The next use opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _connected(self) -> sqlite3.Connection:
        """One connection for as long as the store lives: closing the last one writes all of the log back, which costs
        more than anything else here."""
        if self._db is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=self.PATIENCE)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")  # a kill loses nothing; a power cut may lose the last seconds
        return self._db

    def together(self, *steps: Callable[[], None]) -> None:
        """All of it in one transaction: each step may call what uses this store."""

        def run(db: sqlite3.Connection) -> None:
            self._open = db
            try:
                for step in steps:
                    step()
            finally:
                self._open = None

        self.use(run, None)

    def use(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """`work` in one transaction; `otherwise` where the database cannot be used."""
        if self._open is not None:
            return work(self._open)
        try:
            with self._connected() as db:
                ensure(db, _SCHEMA)
                return work(db)
        except (sqlite3.Error, OSError) as error:
            self.close()
            if not self._broken:
                log.warning("history %s cannot be used (%s): this run is not recorded", self.path, error)
            self._broken = True
            return otherwise


def ensure(db: sqlite3.Connection, schema: str) -> None:
    """Creates what is not there yet, within the present transaction (executescript would end it)."""
    for statement in schema.split(";"):
        db.execute(statement)


_INSERT = "INSERT INTO host_states (run, host, state, at, message) VALUES (?, ?, ?, ?, ?)"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

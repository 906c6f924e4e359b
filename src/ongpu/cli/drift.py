"""Is every host still as declared, and is what is loaded on its GPU? Read-only, for cron.

One SSH execution per host; nothing is loaded, generated or changed. A declared model that is not loaded now is no
drift. Exit code 0: as declared; 2: drift or a failed proof; 3: unknown (unreachable host, too few witnesses); with
`--format nagios` 0 ok, 1 warning, 2 critical, 3 unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from ongpu.cli._options import finish, fleet_options, gather, options, parse_outs, timeout_option
from ongpu.history.spans import forget, record
from ongpu.history.store import Store
from ongpu.host.result import HostResult

_AT_ONCE = 50  # results per transaction: what a kill may lose of the history, and what a locked database may cost


@click.command("drift", help=__doc__, context_settings={"default_map": {"timeout": 240}})
@fleet_options
@timeout_option
@click.option("--history", type=click.Path(path_type=Path), help="State log; default: history/ beside the inventory.")
@click.option("--keep", default=90, show_default=True, type=click.IntRange(1), help="Days of history to keep.")
def command(
    hosts: tuple[str, ...],
    inventory: str,
    limit: tuple[str, ...],
    fmt: str,
    out: tuple[str, ...],
    parallel: int,
    timeout: int,
    history: Path | None,
    keep: int,
) -> int:
    outs = parse_outs(out)
    chosen = options(inventory, hosts, limit, parallel, timeout)
    from ongpu.fleet.drift import drift_fleet

    store = Store((history or Path(inventory).resolve().parent / "history") / "ongpu.sqlite3")
    log = _Log(store)
    result = gather("drift", log.recorded(drift_fleet(chosen)))
    log.finish(int(result.exit_code), keep)
    return finish(result, fmt, outs)


class _Log:
    """The run's way into the history. After a first failure the database is left alone: a locked one costs two seconds
    each time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.run = ""

    def recorded(self, streamed: Iterator[HostResult]) -> Iterator[HostResult]:
        """Passes results on, and writes them in portions. The run begins with the first result: an inventory that
        cannot be read is no run."""
        waiting: list[HostResult] = []
        for result in streamed:
            self.run = self.run or self.store.begin("drift", [])
            waiting.append(result)
            if len(waiting) >= _AT_ONCE:
                self._write(waiting)
            yield result
        self._write(waiting)

    def finish(self, exit_code: int, keep: int) -> None:
        if self.run and not self.store.broken:
            self.store.finish(self.run, exit_code)
        before = datetime.now(UTC) - timedelta(days=keep)
        for forgetting in (self.store.forget, lambda moment: forget(self.store, moment)):
            if not self.store.broken:
                forgetting(before)

    def _write(self, waiting: list[HostResult]) -> None:
        if waiting and not self.store.broken:
            record(self.store, "drift", waiting)
        waiting.clear()

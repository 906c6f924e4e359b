"""Since when is a host as it is, and what changed just before.

Without HOST: every host's present state, worst first, and the last runs. With HOST: its whole way, newest first.
From the state log that `ongpu drift` and `ongpu apply` write beside the inventory.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import click

from ongpu.cli._history import fleet_lines, host_lines
from ongpu.errors import Exit, NothingToDo, OngpuError
from ongpu.history.spans import differences, latest, spans
from ongpu.history.store import Store


@click.command("history", help=__doc__)
@click.argument("host", required=False)
@click.option("-i", "--inventory", default="inventory.py", show_default=True, help="Its directory holds history/.")
@click.option("--history", type=click.Path(path_type=Path), help="State log; default: history/ beside the inventory.")
@click.option("--format", "fmt", default="table", type=click.Choice(["table", "json"]), show_default=True)
@click.option("--runs", default=5, show_default=True, type=click.IntRange(0), help="How many runs to show.")
def command(host: str | None, inventory: str, history: Path | None, fmt: str, runs: int) -> int:
    path = (history or Path(inventory).resolve().parent / "history") / "ongpu.sqlite3"
    if not path.is_file():
        raise NothingToDo(f"there is no history at {path} yet: `ongpu drift` writes it")
    store = Store(path)
    found = spans(store, host) if host else latest(store)
    states = store.states(host) if host else []
    last = store.runs(runs) if not host else []
    if store.broken:
        raise OngpuError(f"the history at {path} cannot be read; move it away to begin a new one")
    if host and not found and not states:
        raise NothingToDo(f"the history at {path} knows no host {host!r}")
    if fmt == "json":
        before = [(), *(differences(*pair) for pair in pairwise(found))] if host else [()] * len(found)
        body = {
            "spans": [{**asdict(span), "changed_before": told} for span, told in zip(found, before, strict=True)],
            "runs": [asdict(run) for run in last],
            "states": [asdict(state) for state in states],
        }
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
        return Exit.OK
    click.echo("\n".join(host_lines(found, states) if host else fleet_lines(found, last)))
    return Exit.OK

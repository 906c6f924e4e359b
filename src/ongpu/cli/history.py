"""Since when is a host as it is, and what changed just before.

Without HOST: every host's present state, worst first, what is an alert now, and the last runs. With HOST: its whole
way, newest first. From the state log that `ongpu drift`, `verify` and `apply` write beside the inventory. With
--max-age: exit code 2 when no drift check has ended for that long, or a host could not be read for that long.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from ongpu.cli._history import alert_lines, fleet_lines, host_lines, model_lines
from ongpu.cli._options import history_option, state_log
from ongpu.errors import ConfigError, Exit, NothingToDo, OngpuError
from ongpu.history import alerts, models, silence
from ongpu.history.recorder import now
from ongpu.history.spans import Span, differences, latest, spans


@click.command("history", help=__doc__)
@click.argument("host", required=False)
@click.option("-i", "--inventory", default="inventory.py", show_default=True, help="Its directory holds history/.")
@history_option
@click.option("--format", "fmt", default="table", type=click.Choice(["table", "json"]), show_default=True)
@click.option("--runs", default=5, show_default=True, type=click.IntRange(0), help="How many runs to show.")
@click.option("--max-age", metavar="TIME", help="Such as 1h: exit code 2 when nothing was checked for that long.")
def command(host: str | None, inventory: str, history: Path | None, fmt: str, runs: int, max_age: str | None) -> int:
    allowed = _duration(max_age) if max_age is not None else None
    store = state_log(history, inventory)
    if not store.path.is_file():
        raise NothingToDo(f"there is no history at {store.path} yet: `ongpu drift` writes it")
    found = spans(store, host) if host else latest(store)
    states = store.states(host) if host else []
    watched = alerts.log_of(store, host) if host else [one for rows in alerts.present(store).values() for one in rows]
    proofs = models.spans(store, host) if host else []
    last = store.runs(runs) if not host else []
    silent = [] if allowed is None else silence.sentences(store, allowed, now(), host)
    if store.broken:
        raise OngpuError(f"the history at {store.path} cannot be read; move it away to begin a new one")
    if host and not found and not states and not proofs:
        raise NothingToDo(f"the history at {store.path} knows no host {host!r}")
    if fmt == "json":
        body = {
            "spans": _with_changes(found, bool(host)),
            "alerts": [{**asdict(one), "state": one.state} for one in watched],
            "models": [asdict(one) for one in proofs],
            "runs": [asdict(run) for run in last],
            "states": [asdict(state) for state in states],
            "silent": silent,
        }
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        own = host_lines(found, states) if host else fleet_lines(found, last)
        parts = [silent, own, alert_lines(watched), model_lines(proofs)]
        click.echo("\n\n".join("\n".join(part) for part in parts if part))
    return Exit.FINDINGS if silent else Exit.OK


def _with_changes(found: Sequence[Span], one_host: bool) -> list[dict[str, Any]]:
    before = [(), *(differences(*pair) for pair in pairwise(found))] if one_host else [()] * len(found)
    return [{**asdict(span), "changed_before": told} for span, told in zip(found, before, strict=True)]


def _duration(text: str) -> timedelta:
    from ongpu.spec.values import duration

    try:
        span = duration(text)
    except ValueError as error:
        raise ConfigError(str(error), "--max-age") from None
    assert isinstance(span, timedelta)  # noqa: S101 - of a text it is always one
    return span

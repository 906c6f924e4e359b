"""Put back what a run changed on hosts: files, Ollama release, driver packages, holds.

RUN is a run's name as the hosts keep it, or its id in `ongpu history`; default: the last run of each host. Shows what
it would do and asks. Taking a run back is a run itself, so it can be taken back too. Pulled models stay.
"""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

import click

from ongpu.cli._options import (
    finish,
    fleet_options,
    gather,
    history_directory,
    history_option,
    options,
    parse_outs,
)
from ongpu.errors import ConfigError, NotConfirmed
from ongpu.host.result import FleetResult
from ongpu.host.run_record import NAME

SECONDS = 7200  # of one host: a driver's packages may have to be put back; each step has its own limit


@click.command("undo", help=__doc__)
@fleet_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry", is_flag=True, help="Only show what would be put back.")
@history_option
def command(
    hosts: tuple[str, ...],
    inventory: str,
    limit: tuple[str, ...],
    fmt: str,
    out: tuple[str, ...],
    parallel: int,
    yes: bool,
    dry: bool,
    history: Path | None,
) -> int:
    outs = parse_outs(out)
    run, named = (hosts[0], hosts[1:]) if hosts and NAME.fullmatch(hosts[0]) else ("", hosts)
    if not named and not limit:
        raise click.UsageError("name the hosts on which something is to be put back.")
    chosen = options(inventory, named, limit, parallel, SECONDS)
    from ongpu.fleet.lock import controller_lock
    from ongpu.fleet.undo import undo_fleet

    with controller_lock(history_directory(history, inventory) / "apply.lock"):
        foreseen = gather("undo", undo_fleet(chosen, run), progress=False)
        due = {host.host: host.facts["run"] for host in foreseen.hosts if any(c.kind == "change" for c in host.changes)}
        if dry or not due:
            return finish(foreseen, fmt, outs)
        _show(foreseen)
        if not yes:
            _confirm()
        rest = tuple(host for host in foreseen.hosts if host.host not in due)
        done = gather("undo", chain(rest, undo_fleet(chosen, run, due)))
    return finish(done, fmt, outs)


def _show(foreseen: FleetResult) -> None:
    from ongpu.report.table import render

    click.echo(render(foreseen), err=True)


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to confirm on; pass --yes to go on without asking")
    if not click.confirm("Put this back?", err=True):
        raise NotConfirmed("nothing was changed")

"""Make hosts as declared: canary, then batches; stops when a batch goes bad.

Shows the plan first and asks; nothing beyond the shown plan is done. Then every declared model is proven on the
GPU. The same deploy as `pyinfra inventory.py deploys/gpu.py`, with batches and exit codes around it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ongpu.cli._options import (
    finish,
    fleet_options,
    force_option,
    gather,
    history_directory,
    history_option,
    options,
    parse_outs,
)
from ongpu.errors import ConfigError, Exit, NotConfirmed
from ongpu.history import models
from ongpu.history.alerts import moment
from ongpu.history.recorder import now
from ongpu.history.spans import record
from ongpu.history.store import State, Store
from ongpu.host.result import HostResult

if TYPE_CHECKING:
    from ongpu.fleet.options import Options
    from ongpu.spec.model import Rollout

PLAN_SECONDS = 900  # for one host's plan; what is done then has its own limit, step by step
_DONE: dict[str, State] = {"ok": "completed"}


@click.command("apply", help=__doc__)
@fleet_options
@force_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@history_option
def command(
    hosts: tuple[str, ...],
    inventory: str,
    limit: tuple[str, ...],
    fmt: str,
    out: tuple[str, ...],
    parallel: int,
    force: bool,
    yes: bool,
    history: Path | None,
) -> int:
    outs = parse_outs(out)
    chosen = options(inventory, hosts, limit, parallel, PLAN_SECONDS, force)
    place = history_directory(history, inventory)
    from ongpu.fleet.apply import apply_fleet, shown_in
    from ongpu.fleet.lock import controller_lock
    from ongpu.fleet.read import plan_fleet

    _show_progress()
    with controller_lock(place / "apply.lock"):
        planned = gather("plan", plan_fleet(chosen), progress=False)
        _show(planned.hosts)
        if not yes and any(host.changes for host in planned.hosts):
            _confirm()
        names = [host.host for host in planned.hosts]
        store = Store(place / "ongpu.sqlite3")
        run = store.begin("apply", names)
        streamed = apply_fleet(chosen, shown_in(planned.hosts), _rollout(chosen), names, run)
        try:
            result = gather("apply", _logged(streamed, store, run, names))
        except KeyboardInterrupt:
            store.finish(run, int(Exit.INTERRUPTED))
            raise
        store.finish(run, int(result.exit_code))
    return finish(result, fmt, outs)


def _show_progress() -> None:
    """What is done, as it is done, for somebody who watches: an operation of a whole fleet takes minutes."""
    if sys.stderr.isatty():
        logging.getLogger("pyinfra").setLevel(logging.INFO)


def _show(planned: tuple[HostResult, ...]) -> None:
    from ongpu.host.result import FleetResult
    from ongpu.report.table import render

    click.echo(render(FleetResult(command="plan", started_at="", finished_at="", hosts=planned)), err=True)


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to confirm the plan on; pass --yes to go on without asking")
    if not click.confirm("Make these changes?", err=True):
        raise NotConfirmed("nothing was changed")


def _rollout(chosen: Options) -> Rollout:
    """The fleet-wide rollout, as the first host with a spec carries it."""
    from ongpu.engine.cell import spec_of
    from ongpu.errors import OngpuError
    from ongpu.fleet.session import open_state
    from ongpu.spec.model import Rollout

    for host in open_state(chosen)[1]:
        try:
            return spec_of(host).rollout
        except OngpuError:
            continue
    return Rollout()


def _logged(streamed: Iterator[HostResult], store: Store, run: str, names: list[str]) -> Iterator[HostResult]:
    """Writes each host's state: processing before the first result, completed or error with its message after."""
    waiting = dict.fromkeys(names)
    for name in names:
        store.note(run, name, "processing")
    try:
        for result in streamed:
            waiting.pop(result.host, None)
            store.note(run, result.host, _DONE.get(result.verdict, "error"), result.summary)
            if not store.broken:
                record(store, "apply", [result])
                models.record(store, [result], moment(now()))
            yield result
    except KeyboardInterrupt:
        for name in waiting:
            store.note(run, name, "error", "interrupted; a step that was running may still be going on")
        told = f"{len(names) - len(waiting)} of {len(names)} hosts done; on the others a step may still be going on"
        click.echo(f"ongpu: {told}. Run again to go on from there.", err=True)
        raise

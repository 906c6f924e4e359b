"""Repair what the rules find, where it is safe; the same rules say afterwards whether it helped.

Give rules (SW-010, nvidia-uvm-not-loaded; default: every one that fires) and hosts, or --all. By default nothing is
interrupted: --allow restart also restarts Ollama (drained first), --allow reboot also the host, within the
inventory's window and policies; `ongpu undo` takes a run back. What only a person can do is printed as commands.
Exit code 0: nothing left; 2: something still fails or is left to do by hand; 3: unknown; 4: only refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ongpu.cli._options import (
    finish,
    fleet_options,
    gather,
    history_directory,
    history_option,
    options,
    parse_outs,
    state_log,
)
from ongpu.host.result import HostResult

if TYPE_CHECKING:
    from ongpu.engine.repairing import Wanted
    from ongpu.history.store import Store

SECONDS = 7200  # of one host: a driver may have to be installed; each step has its own limit


@click.command("fix", help=__doc__)
@fleet_options
@click.option("--all", "everywhere", is_flag=True, help="Every host of the inventory.")
@click.option("--allow", type=click.Choice(["restart", "reboot"]), help="The most that may be interrupted.")
@click.option("--dry", is_flag=True, help="Only show what would be done.")
@history_option
def command(
    hosts: tuple[str, ...],
    inventory: str,
    limit: tuple[str, ...],
    fmt: str,
    out: tuple[str, ...],
    parallel: int,
    everywhere: bool,
    allow: str | None,
    dry: bool,
    history: Path | None,
) -> int:
    outs = parse_outs(out)
    rules, named = _apart(hosts)
    if everywhere and (named or limit):
        raise click.UsageError("--all means every host: leave out the names of hosts.")
    if not (everywhere or named or limit):
        raise click.UsageError("name the hosts that may be changed, or pass --all.")
    chosen = options(inventory, named, limit, parallel, SECONDS)
    from ongpu.fleet.fix import fix_fleet
    from ongpu.fleet.lock import controller_lock

    wanted = _wanted(rules, allow, dry)
    if dry:
        return finish(gather("fix", fix_fleet(chosen, wanted)), fmt, outs)
    with controller_lock(history_directory(history, inventory) / "apply.lock"):
        store = state_log(history, inventory)
        run = store.begin("fix", [])
        result = gather("fix", _logged(store, run, fix_fleet(chosen, wanted, run)))
        store.finish(run, int(result.exit_code))
    return finish(result, fmt, outs)


def _logged(store: Store, run: str, streamed: Iterable[HostResult]) -> Iterator[HostResult]:
    """Each host's state, as it is done: `ongpu undo RUN` takes the run back."""
    for result in streamed:
        store.note(run, result.host, "completed" if result.verdict == "ok" else "error", result.summary)
        yield result


def _wanted(rules: frozenset[str], allow: str | None, dry: bool) -> Wanted:
    from ongpu.engine.repairing import Wanted
    from ongpu.plan.types import Interrupts

    return Wanted(rules=rules, allowed=Interrupts[allow.upper()] if allow else Interrupts.NONE, dry=dry)


def _apart(words: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Rules by id or cause, and all other words: hosts and groups."""
    from ongpu.rules.catalogue import catalogue

    ids = {name: entry.rule.id for entry in catalogue() for name in (entry.rule.id.lower(), entry.rule.slug)}
    rules = frozenset(ids[word.lower()] for word in words if word.lower() in ids)
    return rules, tuple(word for word in words if word.lower() not in ids)

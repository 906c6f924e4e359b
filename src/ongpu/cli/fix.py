"""Repair what the rules find, where it is safe; the same rules say afterwards whether it helped.

Give rules (SW-010, nvidia-uvm-not-loaded; default: every one that fires) and hosts, or --all. By default nothing is
interrupted: --allow restart also restarts Ollama (drained first), --allow reboot also the host, within the inventory's
window and policies. What only a person can do is printed as commands. Exit code 0: nothing left; 2: something still
fails or is left to do by hand; 3: unknown; 4: only refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ongpu.cli._options import finish, fleet_options, gather, options, parse_outs

if TYPE_CHECKING:
    from ongpu.engine.repair import Wanted

SECONDS = 7200  # of one host: a driver may have to be installed; each step has its own limit


@click.command("fix", help=__doc__)
@fleet_options
@click.option("--all", "everywhere", is_flag=True, help="Every host of the inventory.")
@click.option("--allow", type=click.Choice(["restart", "reboot"]), help="The most that may be interrupted.")
@click.option("--dry", is_flag=True, help="Only show what would be done.")
@click.option("--history", type=click.Path(path_type=Path), help="Where the lock is; default: beside the inventory.")
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
    place = history or Path(inventory).resolve().parent / "history"
    from ongpu.fleet.fix import fix_fleet
    from ongpu.fleet.lock import controller_lock

    wanted = _wanted(rules, allow, dry)
    if dry:
        return finish(gather("fix", fix_fleet(chosen, wanted)), fmt, outs)
    with controller_lock(place / "apply.lock"):
        return finish(gather("fix", fix_fleet(chosen, wanted)), fmt, outs)


def _wanted(rules: frozenset[str], allow: str | None, dry: bool) -> Wanted:
    from ongpu.engine.repair import Wanted
    from ongpu.plan.types import Interrupts

    return Wanted(rules=rules, allowed=Interrupts[allow.upper()] if allow else Interrupts.NONE, dry=dry)


def _apart(words: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Rules by id or cause, and all other words: hosts and groups."""
    from ongpu.rules.catalogue import catalogue

    ids = {name: entry.rule.id for entry in catalogue() for name in (entry.rule.id.lower(), entry.rule.slug)}
    rules = frozenset(ids[word.lower()] for word in words if word.lower() in ids)
    return rules, tuple(word for word in words if word.lower() not in ids)

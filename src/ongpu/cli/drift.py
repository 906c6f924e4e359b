"""Is every host still as declared, and is what is loaded on its GPU? Read-only, for cron.

One SSH execution per host; nothing is loaded, generated or changed. A declared model that is not loaded now is no
drift. Exit code 0: as declared; 2: drift or a failed proof; 3: unknown (unreachable host, too few witnesses); with
`--format nagios` 0 ok, 1 warning, 2 critical, 3 unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click

from ongpu.cli._options import (
    finish,
    fleet_options,
    gather,
    history_option,
    one_shard,
    options,
    parse_outs,
    state_log,
    timeout_option,
)
from ongpu.history.recorder import Recorder, now
from ongpu.host.result import HostResult

LOCAL = "@local"


@click.command("drift", help=__doc__, context_settings={"default_map": {"timeout": 240}})
@fleet_options
@timeout_option
@history_option
@click.option("--keep", default=90, show_default=True, type=click.IntRange(1), help="Days of history to keep.")
@click.option(
    "--debounce",
    default=1,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Looks in a row that must see a cause before it counts for the exit code and for alerts.",
)
@click.option(
    "--shard",
    default="1/1",
    metavar="I/N",
    callback=one_shard,
    help="Only the I-th of N parts of the hosts, for N processes.",
)
@click.option("--local-name", metavar="NAME", help="What the host @local is called in reports.")
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
    debounce: int,
    shard: str,
    local_name: str | None,
) -> int:
    outs = parse_outs(out)
    chosen = options(inventory, hosts, limit, parallel, timeout, shard=shard)
    from ongpu.fleet.drift import drift_fleet

    log = Recorder(state_log(history, inventory), "drift", debounce, now)
    result = gather("drift", log.recorded(_named(drift_fleet(chosen), local_name)))
    log.finish(int(result.exit_code), timedelta(days=keep))
    return finish(result, fmt, outs)


def _named(results: Iterator[HostResult], name: str | None) -> Iterator[HostResult]:
    """A host that looks at itself is called `@local` in its own inventory, and would be everywhere."""
    for result in results:
        yield _renamed(result, name) if name and result.host == LOCAL else result


def _renamed(result: HostResult, name: str) -> HostResult:
    return replace(
        result,
        host=name,
        summary=result.summary.replace(LOCAL, name),
        error=result.error.replace(LOCAL, name),
        models=tuple(replace(model, summary=model.summary.replace(LOCAL, name)) for model in result.models),
    )

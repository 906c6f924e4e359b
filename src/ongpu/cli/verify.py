"""Prove that every declared model runs fully on the GPU.

Changes nothing. A model that is not resident is loaded only with --load, and only if nothing is evicted for it.
"""

from __future__ import annotations

from pathlib import Path

import click

from ongpu.cli._options import (
    finish,
    fleet_options,
    gather,
    history_option,
    options,
    parse_outs,
    state_log,
    timeout_option,
)
from ongpu.history.recorder import now, proofs


@click.command("verify", help=__doc__)
@fleet_options
@timeout_option
@history_option
@click.option("--load", is_flag=True, help="Load declared models that are not resident.")
def command(
    hosts: tuple[str, ...],
    inventory: str,
    limit: tuple[str, ...],
    fmt: str,
    out: tuple[str, ...],
    parallel: int,
    timeout: int,
    load: bool,
    history: Path | None,
) -> int:
    outs = parse_outs(out)
    chosen = options(inventory, hosts, limit, parallel, timeout)
    from ongpu.fleet.read import verify_fleet

    streamed = proofs(state_log(history, inventory), verify_fleet(chosen, load), now)
    return finish(gather("verify", streamed), fmt, outs)

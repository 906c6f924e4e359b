"""Prove that every declared model runs fully on the GPU.

Changes nothing. A model that is not resident is loaded only with --load, and only if nothing is evicted for it.
"""

from __future__ import annotations

import click

from ongpu.cli._options import finish, fleet_options, gather, options, parse_outs, timeout_option


@click.command("verify", help=__doc__)
@fleet_options
@timeout_option
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
) -> int:
    outs = parse_outs(out)
    chosen = options(inventory, hosts, limit, parallel, timeout)
    from ongpu.fleet.read import verify_fleet

    return finish(gather("verify", verify_fleet(chosen, load)), fmt, outs)

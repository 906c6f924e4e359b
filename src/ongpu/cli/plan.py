"""What apply would change, as a diff; says what it cannot know yet.

Reads only. Exit code 0: as declared; 2: something would change; 3: unknown; 4: refused.
"""

from __future__ import annotations

import click

from ongpu.cli._options import finish, fleet_options, force_option, gather, options, parse_outs, timeout_option


@click.command("plan", help=__doc__)
@fleet_options
@timeout_option
@force_option
def command(
    hosts: tuple[str, ...],
    inventory: str,
    limit: tuple[str, ...],
    fmt: str,
    out: tuple[str, ...],
    parallel: int,
    timeout: int,
    force: bool,
) -> int:
    outs = parse_outs(out)
    chosen = options(inventory, hosts, limit, parallel, timeout, force)
    from ongpu.fleet.read import plan_fleet

    return finish(gather("plan", plan_fleet(chosen)), fmt, outs)

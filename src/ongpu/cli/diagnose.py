"""Name the root cause, with the line that proves it and the fix.

Reads live hosts, or with --from what was recorded or pasted: an `ongpu snapshot`, a case, a directory of outputs, a
text in which a journal, nvidia-smi and a compose file may be mixed, or - for standard input. Changes nothing. Exit
code 0: nothing wrong in what was looked at; 2: findings; 3: not enough to tell (it says what to collect); 1: error.
"""

from __future__ import annotations

import click

from ongpu.cli._options import finish, fleet_options, gather, options, parse_outs, timeout_option


@click.command("diagnose", help=__doc__)
@fleet_options
@timeout_option
@click.option("--from", "sources", multiple=True, metavar="FILE|DIR|-", help="Offline evidence; may be repeated.")
def command(
    hosts: tuple[str, ...],
    inventory: str,
    limit: tuple[str, ...],
    fmt: str,
    out: tuple[str, ...],
    parallel: int,
    timeout: int,
    sources: tuple[str, ...],
) -> int:
    outs = parse_outs(out)
    if sources:
        if hosts or limit:
            raise click.UsageError("--from takes no hosts: give either hosts or recorded evidence.")
        from ongpu.cli._evidence import results_from

        return finish(gather("diagnose", (one for source in sources for one in results_from(source))), fmt, outs)
    chosen = options(inventory, hosts, limit, parallel, timeout)
    from ongpu.fleet.diagnose import diagnose_fleet

    return finish(gather("diagnose", diagnose_fleet(chosen)), fmt, outs)

"""The probe's result as JSON (a support bundle), secrets redacted.

One JSON object per host, one per line; `--script` prints the probe itself: what is sent to a host, nothing else.
`--local` reads this machine as the user who calls; root sees most. Exit code 3: a host could not be read.
"""

from __future__ import annotations

import json

import click

from ongpu.cli._options import inventory_option, options
from ongpu.errors import Exit, worst


@click.command("snapshot", help=__doc__)
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@inventory_option
@click.option("--limit", multiple=True, help="Host pattern or group; may be given several times.")
@click.option("--parallel", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--timeout", default=120, show_default=True, type=click.IntRange(1), help="Seconds per host.")
@click.option("--script", "only_script", is_flag=True, help="Print the probe script and stop.")
@click.option("--local", is_flag=True, help="Read this machine, without SSH and with NVML.")
@click.option("--keep-secrets", is_flag=True, help="Do not redact (keys and passwords of environments).")
def command(
    hosts: tuple[str, ...],
    inventory: str,
    limit: tuple[str, ...],
    parallel: int,
    timeout: int,
    only_script: bool,
    local: bool,
    keep_secrets: bool,
) -> int:
    if hosts and (local or only_script):
        raise click.UsageError(f"{'--local' if local else '--script'} takes no hosts: {hosts[0]!r} is one too many.")
    if only_script:
        from ongpu.probe.decode import script

        click.echo(script(), nl=False)
        return Exit.OK
    if local:
        return _local(keep_secrets)
    chosen = options(inventory, hosts, limit, parallel, timeout)
    from ongpu.fleet.snapshot import snapshot_fleet

    codes = []
    for name, body, why in snapshot_fleet(chosen, keep_secrets):
        if body is None:
            click.echo(f"ongpu: {name}: {why}", err=True)
        else:
            click.echo(json.dumps(body, separators=(",", ":")))
        codes.append(Exit.OK if body is not None else Exit.UNKNOWN)
    return worst(codes)


def _local(keep_secrets: bool) -> int:
    import platform

    from ongpu.host import codec
    from ongpu.host.reading import Unreadable
    from ongpu.host.redact import redact
    from ongpu.probe.local import snapshot_local

    value = snapshot_local()
    body = codec.dump(value if keep_secrets else redact(value), platform.node())
    click.echo(json.dumps(body, separators=(",", ":")))
    return Exit.UNKNOWN if isinstance(value.system, Unreadable) else Exit.OK

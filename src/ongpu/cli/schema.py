"""The JSON Schema of a report (`--format json`), or of inventory files.

For tools that read ongpu's JSON, and for editors of fleet.yaml.
"""

from __future__ import annotations

import click

from ongpu.errors import Exit


@click.command("schema", help=__doc__)
@click.argument("which", type=click.Choice(["result", "inventory"]), default="result")
def command(which: str) -> int:
    if which == "result":
        from ongpu.report._schema import text as of_result

        click.echo(of_result(), nl=False)
    else:
        from ongpu.spec.schema import text as of_inventory

        click.echo(of_inventory(), nl=False)
    return Exit.OK

"""Prometheus alert rules and a Grafana dashboard for what `ongpu drift --out prometheus=…` writes.

`ongpu monitoring alerts > /etc/prometheus/rules/ongpu.yml`; `ongpu monitoring dashboard` prints what Grafana imports.
"""

from __future__ import annotations

import click

from ongpu.errors import Exit
from ongpu.resources import directory

_FILES = {"alerts": "alerts.yml", "dashboard": "dashboard.json"}


@click.command("monitoring", help=__doc__)
@click.argument("what", type=click.Choice(sorted(_FILES)))
def command(what: str) -> int:
    click.echo((directory("templates") / "monitoring" / _FILES[what]).read_text(encoding="utf-8"), nl=False)
    return Exit.OK

"""Show a JSON report again, in another format; several reports of one run's shards become one.

`ongpu report drift.json --format html > drift.html`. `-` reads standard input. The exit code is that of the run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ongpu.cli._options import finish, parse_outs
from ongpu.errors import OngpuError
from ongpu.report import formats


@click.command("report", help=__doc__)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--format", "fmt", default="table", type=click.Choice(formats()), show_default=True)
@click.option("--out", multiple=True, metavar="FORMAT=PATH", help="Also write a report to a file.")
def command(files: tuple[str, ...], fmt: str, out: tuple[str, ...]) -> int:
    outs = parse_outs(out)
    from ongpu.report._read import joined, read

    return finish(joined([read(_text(file), file) for file in files]), fmt, outs)


def _text(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise OngpuError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OngpuError(f"{file} is no JSON report of ongpu: it is not UTF-8") from None

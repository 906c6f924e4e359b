"""Options that verbs share, and what every fleet verb does at its end: report, files, exit code."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from ongpu.errors import OngpuError
from ongpu.history.store import Store
from ongpu.host.result import FleetResult, HostResult
from ongpu.report import exit_code, formats, renderer, trouble

if TYPE_CHECKING:
    from ongpu.fleet.options import Options

F = TypeVar("F", bound=Callable[..., Any])


inventory_option = click.option(
    "-i",
    "--inventory",
    default="inventory.py",
    show_default=True,
    help="A pyinfra inventory, a fleet.yaml, or a directory of such files; without inventory.py: ./inventory.",
)
history_option = click.option(
    "--history", type=click.Path(path_type=Path), help="State log; default: history/ beside the inventory."
)
timeout_option = click.option(
    "--timeout", default=900, show_default=True, type=click.IntRange(1), help="Seconds per host."
)

force_option = click.option("--force", is_flag=True, help="Go on with models that cannot fit on the GPUs.")


def fleet_options(function: F) -> F:
    """HOST…, --inventory, --limit, --format, --out, --parallel."""
    function = _in_the_formats_words(function)
    for option in (
        click.argument("hosts", nargs=-1, metavar="[HOST]..."),
        inventory_option,
        click.option("--limit", multiple=True, help="Host pattern or group; may be given several times."),
        click.option("--format", "fmt", default="table", type=click.Choice(formats()), show_default=True),
        click.option("--out", multiple=True, metavar="FORMAT=PATH", help="Also write a report to a file."),
        click.option("--parallel", default=50, show_default=True, type=click.IntRange(1, 1000)),
    ):
        function = option(function)
    return function


def _in_the_formats_words(function: F) -> F:
    """`--format nagios` has exit codes of its own, also for what stops ongpu: else 1 would be read as a warning."""

    @wraps(function)
    def guarded(*args: Any, **values: Any) -> int:
        try:
            return int(function(*args, **values))
        except click.Abort:
            raise
        except Exception as error:
            told = trouble(values["fmt"], _sentence(error))
            if told is None:
                raise
            click.echo(told[0], nl=False)
            return told[1]

    return cast("F", guarded)


def _sentence(error: Exception) -> str:
    match error:
        case OngpuError():
            return str(error)
        case click.ClickException():
            return error.format_message()
        case _:
            return f"bug, please report: {error!r}"


def options(
    inventory: str,
    hosts: tuple[str, ...],
    limit: tuple[str, ...],
    parallel: int,
    timeout: int,
    force: bool = False,
    shard: str = "1/1",
) -> Options:
    """What the hosts are to be chosen and asked by. `shard` as in `--shard`."""
    from ongpu.fleet.options import Options

    first, _, count = shard.partition("/")
    return Options(
        inventory=found(inventory),
        limit=(*hosts, *limit),
        parallel=parallel,
        seconds=timeout,
        force=force,
        shard=(int(first), int(count)),
    )


def one_shard(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """`2/8`. Raises click.BadParameter."""
    first, mark, count = value.partition("/")
    if not (mark and first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise click.BadParameter(f"{value!r} is not I/N with I from 1 to N, such as 2/8")
    return value


def history_directory(history: Path | None, inventory: str) -> Path:
    """`--history`, else `history/` beside the inventory."""
    return history or Path(inventory).resolve().parent / "history"


def state_log(history: Path | None, inventory: str) -> Store:
    return Store(history_directory(history, inventory) / "ongpu.sqlite3")


def found(inventory: str) -> str:
    """The inventory; without the default inventory.py the directory `inventory`, if there is one."""
    if inventory == "inventory.py" and not Path(inventory).exists() and Path("inventory").is_dir():
        return "inventory"
    return inventory


def parse_outs(outs: Iterable[str]) -> list[tuple[str, Path]]:
    """`json=report.json` -> (`json`, path). Raises OngpuError before anything is done."""
    pairs = []
    for out in outs:
        name, mark, path = out.partition("=")
        if not mark or not path or name not in formats():
            raise OngpuError(f"--out {out}: expected FORMAT=PATH with a format of {', '.join(formats())}")
        directory = Path(path).parent
        if not directory.is_dir():
            raise OngpuError(f"--out {out}: the directory {directory} does not exist")
        if not os.access(directory, os.W_OK | os.X_OK) or Path(path).is_dir():
            raise OngpuError(f"--out {out}: {directory if not Path(path).is_dir() else path} cannot be written to")
        pairs.append((name, Path(path)))
    return pairs


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def gather(command: str, results: Iterable[HostResult], progress: bool = True) -> FleetResult:
    """Collects results as they stream in; one line per host on a terminal's stderr."""
    started, hosts = now(), []
    for result in results:
        hosts.append(result)
        if progress and sys.stderr.isatty():
            click.echo(f"{result.host}: {result.summary}", err=True)
    hosts.sort(key=lambda host: host.host)
    return FleetResult(command=command, started_at=started, finished_at=now(), hosts=tuple(hosts))


def finish(result: FleetResult, fmt: str, outs: list[tuple[str, Path]]) -> int:
    """Writes the reports and gives the exit code, which may be the format's own."""
    click.echo(renderer(fmt)(result), nl=False)  # first: nothing that happens to a file takes it away
    for name, path in outs:
        write_atomically(path, renderer(name)(result))
    return exit_code(fmt, result)


def write_atomically(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never half of it."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OngpuError(f"cannot write {path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise OngpuError(f"cannot write {path}: {error.strerror}") from None

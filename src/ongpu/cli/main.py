"""`ongpu`: finds the verb's file, runs it, and turns every error into one sentence and an exit code."""

from __future__ import annotations

import gc
import logging
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import cast

import click

from ongpu import __version__
from ongpu.errors import Exit, OngpuError


def _verbs() -> dict[str, str]:
    """Verb -> the first line of its file's docstring. Files starting with an underscore are no verbs."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        if file.stem != "main":
            first = file.read_text(encoding="utf-8").split("\n", 1)[0]
            found[file.stem] = first.strip('"').rstrip(".")
    return found


class LazyGroup(click.Group):
    """Imports a verb's module only when that verb is called: `ongpu --version` loads nothing else."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_verbs())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _verbs():
            return None
        return cast("click.Command", import_module(f"ongpu.cli.{cmd_name}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from difflib import get_close_matches

        if args and args[0] not in _verbs():
            near = get_close_matches(args[0], _verbs(), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint} See `ongpu --help`.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_verbs().items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ongpu")
@click.option("-v", "--verbose", count=True, help="Say more on stderr; twice: with tracebacks of bugs.")
def cli(verbose: int) -> None:
    """Every declared model fully on the GPU, or the reason why not.

    Exit codes: 0 as declared and verified, 1 ongpu could not do its job, 2 drift, failed change or failed proof,
    3 something unknown, 4 refused by a safety rule, 130 interrupted.
    """
    level = [logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)]
    logging.basicConfig(stream=sys.stderr, level=level, format="%(message)s")


def _terminate(number: int, frame: object) -> None:
    """As the key Ctrl-C: what is running is recorded, and said."""
    raise KeyboardInterrupt


def main() -> None:
    """The console script. Usage errors exit with 1, not click's 2: 2 means drift here."""
    gc.set_threshold(100_000, 20, 20)  # while modules are imported nothing becomes garbage
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"ongpu: {error.format_message()}", err=True)
        code = Exit.ERROR
    except OngpuError as error:
        for line in str(error).split("\n"):
            click.echo(f"ongpu: {line}", err=True)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("ongpu: interrupted", err=True)
        code = Exit.INTERRUPTED
    except BrokenPipeError:  # `ongpu plan | head`
        sys.stderr.close()
        code = Exit.OK
    except Exception as error:
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            raise
        click.echo(f"ongpu: bug, please report: {error!r} (run with -vv for the traceback)", err=True)
        code = Exit.ERROR
    sys.exit(code if isinstance(code, int) else Exit.OK)

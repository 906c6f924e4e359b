"""A lab of real Debian hosts with simulated GPUs: up, status, exec, fault, reboot, reset, logs, down."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable

import click

from ongpu.errors import Exit
from ongpu_lab import faults, layout
from ongpu_lab.contain import search_path
from ongpu_lab.errors import LabError
from ongpu_lab.hosts import enter
from ongpu_lab.lab import Lab, Status


@click.group("lab", help=__doc__)
@click.option("--dir", "directory", default=".lab", show_default=True, type=click.Path(), help="Where the lab is.")
@click.pass_context
def command(context: click.Context, directory: str) -> None:
    os.environ["PATH"] = search_path()  # root's own may lack /usr/sbin
    context.obj = Lab(directory, say=lambda text: click.echo(f"lab: {text}", err=True))


@command.command()
@click.option("--layout", "which", metavar="NAME|FILE", help=f"One of {', '.join(layout.names())}, or a .toml file.")
@click.option("--hosts", "count", type=int, metavar="N", help="N hosts lab1, lab2, ... instead of a layout.")
@click.pass_obj
def up(lab: Lab, which: str | None, count: int | None) -> int:
    """Bring up the lab, or what of it is down, and wait until every host takes logins."""
    if which is not None and count is not None:
        raise click.UsageError("give --layout or --hosts, not both")
    wanted = _wanted(lab, which, count)
    status = lab.up(wanted)
    click.echo(_table(status))
    config, first = os.path.relpath(lab.dir / "ssh_config"), wanted.hosts[0].name
    click.echo(f"log in:     ssh -F {shlex.quote(config)} {first}", err=True)
    click.echo("configure:  ongpu plan, then ongpu apply; break something: ongpu lab fault --list", err=True)
    return Exit.OK


@command.command()
@click.option("--format", "fmt", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def status(lab: Lab, fmt: str) -> int:
    """The lab's hosts and what is broken on purpose. Exit code 0: all are running, 2: not all."""
    seen = lab.status()
    active = faults.active(lab)
    if fmt == "json":
        click.echo(json.dumps({**seen, "faults": [{"fault": name, "host": host} for name, host in active]}))
    else:
        click.echo(_table(seen))
        for name, host in active:
            click.echo(f"fault: {name}{f' on {host}' if host else ''}")
    good = seen["site"] == "running" and all(host["state"] == "running" for host in seen["hosts"])
    return Exit.OK if good else Exit.FINDINGS


@command.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("host")
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND...", type=click.UNPROCESSED)
@click.pass_obj
def execute(lab: Lab, host: str, words: tuple[str, ...]) -> int:
    """Run a command on a host as root, without ssh. The exit code is the command's."""
    argv = enter.argv(lab.state(), host, words[1:] if words[0] == "--" else words)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - terminal, signals and exit code are the command's own
    except OSError as error:
        raise LabError(f"Cannot run {argv[0]}: {error.strerror}.") from error


@command.command()
@click.argument("words", nargs=-1, metavar="[HOST] FAULT")
@click.option("--list", "listing", is_flag=True, help="Show every fault and what it does.")
@click.option("--clear", is_flag=True, help="Undo: everything, all on HOST, or one FAULT.")
@click.pass_obj
def fault(lab: Lab, words: tuple[str, ...], listing: bool, clear: bool) -> int:
    """Break something on purpose, for real, on a running host; or undo it.

    FAULT is a name of --list, or the id or cause of a diagnosis rule that can be staged (ENV-002)."""
    if listing:
        for found in faults.every():
            click.echo(f"{found.name:30} {found.summary}")
        return Exit.OK
    host, name = _host_and_fault(lab, words)
    if clear:
        for gone, where in faults.clear(lab, name, host):
            click.echo(f"cleared {gone}{f' on {where}' if where else ''}")
        return Exit.OK
    if name is None:
        raise click.UsageError("name a fault; `ongpu lab fault --list` shows them")
    where = faults.apply(lab, faults.find(name), host)
    click.echo(f"applied {name}{f' on {where}' if where else ''}")
    return Exit.OK


@command.command()
@click.argument("host")
@click.pass_obj
def reboot(lab: Lab, host: str) -> int:
    """Reboot a host, or start it if it is down, and wait until it takes logins."""
    return _boots(lab, "reboot", host, faults.started)


@command.command()
@click.argument("host")
@click.pass_obj
def reset(lab: Lab, host: str) -> int:
    """Make a host blank again: a new disk, a new boot, no faults."""
    return _boots(lab, "reset", host, faults.forget)


@command.command()
@click.argument("host")
@click.option("--console", is_flag=True, help="What the host wrote to its console, also when it is down.")
@click.pass_obj
def logs(lab: Lab, host: str, console: bool) -> int:
    """A host's journal; `--console` for what it said while it booted."""
    state = lab.state()
    directory = lab.dir.host(state.layout.host(host).name)
    if console:
        click.echo((directory / "console.log").read_text(errors="replace"), nl=False)
        return Exit.OK
    journal = directory / "journal"
    return subprocess.run(["journalctl", "--no-pager", f"--directory={journal}"], check=False).returncode


@command.command()
@click.pass_obj
def down(lab: Lab) -> int:
    """End the lab and remove all that it made, whatever state it is in."""
    click.echo(f"the lab in {lab.dir.root} is gone" if lab.down() else f"there is no lab in {lab.dir.root}", err=True)
    return Exit.OK


def _boots(lab: Lab, verb: str, host: str, noted: Callable[[Lab, str], None]) -> int:
    """A verb that ends with a freshly booted host, and what that does to the faults that are active there."""
    seen = lab.ask(verb, host)
    noted(lab, host)
    if seen["state"] != "running":
        raise LabError(f"{host} is {seen['state']} ({seen['reason']}).")
    click.echo(f"{host} is running")
    return Exit.OK


def _wanted(lab: Lab, which: str | None, count: int | None) -> layout.Layout:
    """What was asked for; else the lab that is there; else the default."""
    if count is not None:
        return layout.numbered(count)
    if which is not None:
        return layout.load(which)
    return lab.layout_that_runs() or layout.load("default")


def _host_and_fault(lab: Lab, words: tuple[str, ...]) -> tuple[str | None, str | None]:
    words = tuple(_cause_of(word) for word in words)
    names = {name for found in faults.every() for name in (found.name, found.cause)}
    match words:
        case ():
            return None, None
        case (one,) if one in names:
            return None, faults.find(one).name
        case (one,):
            if one in {host.name for host in lab.state().layout.hosts}:
                return one, None
            return None, faults.find(one).name
        case (name, host) if name in names and host in {shape.name for shape in lab.state().layout.hosts}:
            return host, faults.find(name).name
        case (host, name):
            return lab.state().layout.host(host).name, faults.find(name).name
        case _:
            raise click.UsageError("give at most a host and a fault")


def _cause_of(word: str) -> str:
    """The cause of a rule that is named by its id; every other word as it is."""
    if not re.fullmatch(r"(?i)[a-z]{2,4}-\d{3}", word):
        return word
    from ongpu.rules.catalogue import entry_of

    return entry_of(word).rule.slug


def _table(seen: Status) -> str:
    rows = [("HOST", "ADDRESS", "SYSTEM", "GPU", "STATE", "")]
    for host in seen["hosts"]:
        cells = [host[key] for key in ("host", "address", "system", "profile", "state")]
        rows.append((cells[0], cells[1], cells[2], cells[3], cells[4], host["reason"]))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]]) for row in rows
    ]
    if seen["site"] != "running":
        lines.append(f"The vendors' web server is {seen['site']}.")
    return "\n".join(line.rstrip() for line in lines)

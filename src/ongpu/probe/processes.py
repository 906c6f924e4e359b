"""Processes of Ollama in /proc: the server, its runners, and runners that outlived their server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ongpu.host.ollama import Process, Runner
from ongpu.host.reading import Known, Reading, Unreadable
from ongpu.probe import octets
from ongpu.probe.output import Output

MAX_PROCESSES = 40
TICKS = 100  # USER_HZ, the unit of /proc/PID/stat: 100 on every architecture that Ollama is built for

# processes PID: every process named as Ollama's are, and every child of PID. Children of a server carry no name of
# ours only in odd builds; a name says more than a parent for orphans. One grep over /proc instead of one fork each.
SHELL = rf"""
processes() {{
  stats=$(grep -hsE "^[0-9]+ \(((ollama|llama-server)[^)]*\) |.*\) [A-Za-z] $1 )" /proc/[0-9]*/stat |
    head -n {MAX_PROCESSES})
  list=; status=
  for pid in $(printf '%s\n' "$stats" | sed -n 's/^\([0-9]*\) .*/\1/p'); do
    list="$list /proc/$pid"; status="$status /proc/$pid/status"
  done
  p stat printf '%s\n' "$stats"
  p btime grep '^btime ' /proc/stat
  [ -n "$list" ] || return 0
  p owner stat -c '%n %U' $list
  p nspid grep -s '^NSpid:' /dev/null $status
  for dir in $list; do
    pid=${{dir#/proc/}}
    p "cmdline:$pid" slurp "$dir/cmdline"
    p "environ:$pid" slurp "$dir/environ"
    p "exe:$pid" readlink "$dir/exe"
  done
}}
"""

# 725 (ollama) S 1 725 725 0 -1 4194304 … 22nd field: start time in ticks since boot
_STAT = re.compile(r"^(\d{1,10}) \((.*)\) [A-Za-z] (\d{1,10}) (.*)$")
# /proc/725/status:NSpid:	725	1          (a process of an inner PID namespace has several numbers)
_NSPID = re.compile(r"^/proc/(\d{1,10})/status:NSpid:\s*([\d\s]+)$")
_OWNER = re.compile(r"^/proc/(\d{1,10}) (\S+)$")


@dataclass(frozen=True, slots=True)
class Found:
    """The processes by pid. `inner` are those of containers: they belong to another system on this host."""

    all: Mapping[int, Process]
    inner: frozenset[int]

    def server(self) -> Process | None:
        """The one `ollama serve` of this system; None if there is none or several."""
        servers = [process for process in self.all.values() if is_server(process) and process.pid not in self.inner]
        return servers[0] if len(servers) == 1 else None


def parse(output: Output) -> Found | Unreadable:
    """All processes that `processes` printed. One that ended meanwhile is left out."""
    listed = output["stat"]
    if listed.trouble:
        return Unreadable(f"/proc could not be listed: {listed.trouble}")
    booted = _boot_time(output)
    owners = {found[1]: found[2] for line in output["owner"].lines if (found := _OWNER.match(line))}
    processes: dict[int, Process] = {}
    for line in listed.lines:
        found = _STAT.match(line)
        if not found:
            continue
        pid = int(found[1])
        command = _words(output, pid)
        if command:
            processes[pid] = Process(
                pid=pid,
                parent_pid=int(found[3]),
                user=owners.get(found[1], ""),
                exe=_exe(output, pid),
                command=command,
                environ=_environ(output, pid),
                started_at=_started(found[4], booted),
            )
    inner = frozenset(
        int(found[1]) for line in output["nspid"].lines if (found := _NSPID.match(line)) and len(found[2].split()) > 1
    )
    return Found(processes, inner)


def is_server(process: Process) -> bool:
    """`ollama serve`, also through an interpreter."""
    return "serve" in process.command[1:3] and any(word.rsplit("/", 1)[-1] == "ollama" for word in process.command[:2])


def option(command: tuple[str, ...], name: str) -> str:
    """The value of `--name VALUE` or `--name=VALUE`; empty if it is not there."""
    for word, following in zip(command, (*command[1:], ""), strict=True):
        if word == name:
            return following
        if word.startswith(name + "="):
            return word[len(name) + 1 :]
    return ""


def runners(found: Found, main: Process | None) -> tuple[Runner, ...]:
    """Children that hold a model, by pid: the main process's, and those that no running server owns.

    A child without `--model` looks for GPUs or converts a model: no runner. A runner of another server (by hand, or
    in a container) is not the service's.
    """
    servers = {process.pid for process in found.all.values() if is_server(process)}
    mine = []
    for pid, process in sorted(found.all.items()):
        model = option(process.command, "--model")
        if not model or pid in found.inner or is_server(process):
            continue
        child = main is not None and process.parent_pid == main.pid
        if child or process.parent_pid not in servers:
            port = option(process.command, "--port")
            mine.append(
                Runner(
                    process=process,
                    model_path=model,
                    port=int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else None,
                    orphan=not child,
                )
            )
    return tuple(mine)


def _words(output: Output, pid: int) -> tuple[str, ...]:
    match octets.decode(output[f"cmdline:{pid}"]):
        case Unreadable():
            return ()
        case raw:
            return tuple(word.decode("utf-8", "replace") for word in raw.rstrip(b"\0").split(b"\0")) if raw else ()


def _environ(output: Output, pid: int) -> Reading[Mapping[str, str]]:
    match octets.decode(output[f"environ:{pid}"]):
        case Unreadable(why=why, allow=allow):
            return Unreadable(f"/proc/{pid}/environ: {why}", allow)
        case raw:
            pairs = (entry.decode("utf-8", "replace").split("=", 1) for entry in raw.split(b"\0") if b"=" in entry)
            return Known(dict(pairs), f"/proc/{pid}/environ")


def _exe(output: Output, pid: int) -> Reading[str]:
    part = output[f"exe:{pid}"]
    if part.ok and part.lines:
        return Known(part.lines[0], f"/proc/{pid}/exe")
    return Unreadable(f"/proc/{pid}/exe: {part.trouble or 'no output'}", octets.AS_ROOT)


def _boot_time(output: Output) -> datetime | None:
    # btime 1795499000
    for line in output["btime"].lines:
        name, _, seconds = line.partition(" ")
        if name == "btime" and seconds.isascii() and seconds.isdecimal() and len(seconds) < 12:
            return datetime.fromtimestamp(int(seconds), UTC)
    return None


def _started(fields: str, booted: datetime | None) -> Reading[datetime]:
    words = fields.split()
    if booted is None or len(words) < 18 or not words[17].isdecimal() or len(words[17]) > 15:
        return Unreadable("its start time is not in /proc")
    try:
        return Known(booted + timedelta(seconds=int(words[17]) / TICKS), "/proc")
    except OverflowError:
        return Unreadable("its start time in /proc makes no sense")

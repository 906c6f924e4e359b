"""One moment of a server for the idle check: its sockets, open files and processes, from /proc alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ongpu.probe.output import Output

# sample NAME: link targets of the server's descriptors, TCP sockets (established and listening), and stat lines of the
# server and its children.
SHELL = r"""
fds() { ls -l "/proc/$PID/fd" 2>&1 | sed -n 's/.* -> //p; /ermission denied/p'; }
tcp() { awk '$4=="01"||$4=="0A"{print $2,$3,$4,$10}' "/proc/$PID/net/tcp" "/proc/$PID/net/tcp6" 2>/dev/null; :; }
stats() { grep -hsE "^$PID \(|^[0-9]+ \(.*\) [A-Za-z] $PID " /proc/[0-9]*/stat; }
sample() { p "fds:$1" fds; p "tcp:$1" tcp; p "stat:$1" stats; }
"""

# 0100007F:2CAA 0100007F:D6C2 01 2467249      local, remote, state (01 established, 0A listening), inode
_TCP = re.compile(r"^[0-9A-F]{8,32}:([0-9A-F]{4}) ([0-9A-F]{8,32}):([0-9A-F]{4}) (01|0A) (\d{1,20})$")
_SOCKET = re.compile(r"^socket:\[(\d{1,20})\]$")
# 725 (ollama) S 1 …: utime and stime are fields 14 and 15
_STAT = re.compile(r"^(\d{1,10}) \((.*)\) [A-Za-z] (\d{1,10}) (.*)$")


@dataclass(frozen=True, slots=True)
class Sample:
    """Connections by what they are for, processes' CPU ticks by pid, and open files, at one moment."""

    readable: bool
    listens: bool
    clients: int
    to_runners: int
    outbound: int
    blobs: int
    ticks: Mapping[int, int]


def read(output: Output, which: str, ports: set[int]) -> Sample:
    """Sample `1` or `2`. `ports` are the runners'."""
    targets = output[f"fds:{which}"].lines
    own = {found[1] for line in targets if (found := _SOCKET.match(line))}
    sockets = [found for line in output[f"tcp:{which}"].lines if (found := _TCP.match(line))]
    listening = {found[1] for found in sockets if found[4] == "0A" and found[5] in own}
    to_runners = clients = outbound = 0
    for found in sockets:
        remote = int(found[3], 16)
        if found[4] != "01":
            continue
        if remote in ports and (found[5] in own or not own):
            to_runners += 1
        elif found[5] in own and found[1] in listening:
            clients += 1
        elif found[5] in own:
            outbound += 1
    ticks = {}
    for line in output[f"stat:{which}"].lines:
        if (found := _STAT.match(line)) and len(fields := found[4].split()) > 11:
            ticks[int(found[1])] = sum(number(ticked) or 0 for ticked in fields[9:11])
    return Sample(
        readable=bool(own),
        listens=bool(listening),
        clients=clients,
        to_runners=to_runners,
        outbound=outbound,
        blobs=sum("/blobs/" in line for line in targets),
        ticks=ticks,
    )


def number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None

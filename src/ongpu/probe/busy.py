"""Is anything being served by Ollama right now? A look of two to three seconds that changes nothing on the host.

No single sign tells (`expires_at` and `/api/ps` do not, reference: recordings of a real 0.33.0-rc2): connections from
the server to its runners in two samples, `/slots` of each runner, helper children, open blobs, connected clients and
CPU time are taken together. Whoever restarts a service should want several idle looks in a row: a user between two
prompts, a client that hashes a file before it creates a model, and cloud models look idle.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from ongpu.host.reading import Known
from ongpu.probe import endpoint, frame, octets, sample
from ongpu.probe.output import Output, Part
from ongpu.probe.processes import option
from ongpu.probe.sample import Sample, number
from ongpu.probe.script import build
from ongpu.probe.section import Section

SECONDS = 3  # for each question by HTTP
CPU_PERCENT = 30  # of one core, between the samples: more is work


@dataclass(frozen=True, slots=True)
class Busy:
    """Something is served, loaded, pulled or created; the reasons, with `; ` between them."""

    why: str


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing is; `looked_at` says what was seen."""

    looked_at: str


@dataclass(frozen=True, slots=True)
class Blind:
    """Cannot tell, which is not idle."""

    why: str
    allow: str = ""


_SHELL = (
    octets.SHELL
    + endpoint.FIND
    + endpoint.URL
    + endpoint.HTTP
    + sample.SHELL
    + rf"""
slots() {{ answer=$(http "http://127.0.0.1:$1/slots" {SECONDS} 2>&1); rc=$?
  printf '%s\n' "$answer" | grep -oE '"is_processing": *[a-z]+|^[0-9]{{3}}$|(curl|wget): .*'; return "$rc"; }}
children() {{
  for stat in $(stats | sed -n "s/^\([0-9]*\) (.*) [A-Za-z] $PID .*/\1/p" | head -n 40); do
    p "cmdline:$stat" slurp "/proc/$stat/cmdline"
    port=$(tr '\000' '\n' <"/proc/$stat/cmdline" | sed -n '/^--port$/{{n;p;}}') 2>/dev/null
    case $port in '' | *[!0-9]*) continue ;; esac
    tr '\000' '\n' <"/proc/$stat/cmdline" | grep -q 'llama-server$' && p "slots:$port" slots "$port"
  done
}}
find_ollama; url_of "$HOST"
p server printf '%s %s PAUSE\n' "$PID" "$URL"
[ "$PID" != 0 ] || return 0
have curl || have wget || {{ need ps curl; return 0; }}
sample 1
sleep PAUSE
sample 2
children
p ps http "$URL/api/ps" {SECONDS}
"""
)


def script(pause: str = "2") -> str:
    """The whole look as one POSIX script for `sh -s`; `pause` = seconds between the two samples."""
    section = Section(
        name="busy",
        shell=_SHELL.replace("PAUSE", pause),
        parse=lambda output: Known(decide(output), "busy"),
        seconds=30,
        max_bytes=1_000_000,
    )
    return build((section,))


SCRIPT = script()


def parse(text: str) -> Busy | Idle | Blind:
    """What SCRIPT printed. Never raises; anything missing is Blind unless something else already says Busy."""
    frames = frame.split(text)
    output = frames.outputs.get("busy")
    if output is None:
        return Blind(f"the look did not run: {frames.trouble or 'cut off'}"[:500])
    return decide(output)


def decide(output: Output) -> Busy | Idle | Blind:
    """The verdict on one look."""
    words = output["server"].text.split()
    if output["server"].trouble or len(words) != 3 or (pid := number(words[0])) is None:
        return Blind(f"the server could not be looked for: {output['server'].trouble or 'no output'}")
    if pid == 0:
        return Idle("no Ollama server runs") if output.complete else Blind("the look was cut off")
    commands = _commands(output)
    runners = {child: command for child, command in commands.items() if option(command, "--model")}
    ports = {port for command in runners.values() if (port := number(option(command, "--port"))) is not None}
    first, second = (sample.read(output, which, ports) for which in ("1", "2"))
    why = [
        *_connections(first, second, len(runners), _loaded(output["ps"])),
        *_answers(output),
        *_children(first, second, len(commands) - len(runners)),
        *_work(first, second, pid, float(words[2]) if re.fullmatch(r"[\d.]{1,5}", words[2]) else 2.0),
    ]
    if why:
        return Busy("; ".join(why))
    if any(number(option(command, "--port")) is None for command in runners.values()):
        return Blind("a runner names no port on its command line")
    return _blind(output, first, second, pid) or Idle(
        f"{len(runners)} runners, {second.clients} connected clients; no request in two samples {words[2]} s apart"
    )


def _commands(output: Output) -> dict[int, tuple[str, ...]]:
    commands = {}
    for pid, part in output.startswith("cmdline:"):
        raw = octets.decode(part)
        child = number(pid)
        if isinstance(raw, bytes) and raw and child is not None:
            commands[child] = tuple(word.decode("utf-8", "replace") for word in raw.rstrip(b"\0").split(b"\0"))
    return commands


def _loaded(part: Part) -> int | None:
    """How many models /api/ps lists; None if it did not say."""
    try:
        # curl prints the status code on the last line
        models = json.JSONDecoder().raw_decode(part.text.lstrip())[0]["models"] or []
        return len(models) if part.ok and isinstance(models, list) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _connections(first: Sample, second: Sample, runners: int, loaded: int | None) -> list[str]:
    why = []
    clients = min(first.clients, second.clients)
    if min(first.to_runners, second.to_runners) > 0:
        why.append("a request is being answered by a runner")
    if clients and min(first.outbound, second.outbound) > 0:
        why.append("a client waits while the server talks to another host (pull)")
    if loaded is not None and runners > loaded:
        why.append(f"a model is being loaded or unloaded ({runners} runners, {loaded} in /api/ps)")
    # A runner that was killed stays listed. Without a client, nobody can wait for it.
    if loaded is not None and runners < loaded and clients:
        why.append(f"clients are connected while a runner is missing ({runners} runners, {loaded} in /api/ps)")
    return why


def _answers(output: Output) -> list[str]:
    why = []
    for port, part in output.startswith("slots:"):
        if "true" in part.text:
            why.append(f"the runner on port {port} is processing")
        elif "false" not in part.text:
            why.append(f"the runner on port {port} does not say what it does (loading, or stuck)")
    if output["ps"].rc in (28, 124, 143):
        why.append(f"/api/ps gave no answer within {SECONDS} s")
    return why


def _children(first: Sample, second: Sample, helpers: int) -> list[str]:
    why = []
    if helpers > 0:
        why.append("a helper process runs (GPU discovery, or a model is being made)")
    if first.blobs or second.blobs:
        why.append("a blob is open (pull, or a model is being made)")
    if first.ticks and second.ticks and first.ticks.keys() != second.ticks.keys():
        why.append("a process of the server came or went")
    return why


def _work(first: Sample, second: Sample, pid: int, pause: float) -> list[str]:
    ticks = sum(second.ticks[one] - first.ticks[one] for one in first.ticks.keys() & second.ticks.keys())
    if ticks <= max(pause * CPU_PERCENT, 2):
        return []
    return [f"the processes of server {pid} use the CPU ({ticks} ticks in {pause:g} s)"]


def _blind(output: Output, first: Sample, second: Sample, pid: int) -> Blind | None:
    """Why the absence of signs proves nothing, if so."""
    if output["ps"].missing:
        return Blind("no HTTP client", "install curl (or wget)")
    if not output.complete:
        return Blind("the look was cut off (time limit)")
    if pid not in first.ticks or pid not in second.ticks:
        return Blind(f"the server (process {pid}) ended while it was looked at")
    if not (first.readable and second.readable):
        return Blind(f"the descriptors of process {pid} may not be read", octets.AS_ROOT)
    if not (first.listens and second.listens):
        return Blind(f"process {pid} has no listening socket that can be seen (it starts, or has its own network)")
    if _loaded(output["ps"]) is None:
        return Blind(f"/api/ps: {output['ps'].trouble or output['ps'].text[:200]}")
    return None

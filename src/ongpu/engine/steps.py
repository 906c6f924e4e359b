"""Steps of a change -> one POSIX script, run in one exec; and its answer taken apart again. Pure.

All steps of a change travel together: one round trip, and no connection is needed between two of them. The
script holds a lock on the host while it runs (two controllers never work on a host at the same moment) and
stops at the first step that fails.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ongpu.host.paths import BACKUPS, LOCK, STATE_DIR
from ongpu.host.run_record import KEEP, RUNS
from ongpu.plan.types import Drain, Put, Reboot, Remove, Run, Send, Step
from ongpu.probe.frame import split

LOCKED = 75  # EX_TEMPFAIL of sysexits.h
BUSY = 76  # a step that would interrupt found a request; nothing was interrupted

_HEAD = r"""{
export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
umask 022
N=$(od -An -N8 -tx1 /dev/urandom 2>/dev/null | tr -d ' \n'); [ -n "$N" ] || N=x$$
printf '@@ongpu 1 %s\n@@%s section steps\n' "$N" "$N"
end() { printf '\n@@%s done steps\n@@%s end\n' "$N" "$N"; exit 0; }
refuse() { printf '@@%s part %s\n%s\n@@%s rc %s\n' "$N" "$1" "$2" "$N" "$3"; end; }
[ "$(id -u)" = 0 ] || refuse root 'not root' 77
"""

_LOCK = f"""said=$(mkdir -p {STATE_DIR} 2>&1) || refuse lock "$said" 73
if command -v flock >/dev/null 2>&1; then
  exec 9>{LOCK}
  flock -n 9 || refuse lock 'held' {LOCKED}
fi
step() {{ printf '\\n@@%s part %s\\n' "$N" "$1"; shift; what=$1; shift; ( "$@" ) 2>&1 9>&-; rc=$?
  [ -z "$R" ] || {{ printf '%s %s %s\\n' "$(date -u +%FT%TZ)" "$rc" "$what" >>"$R/steps"; }} 2>/dev/null || :
  printf '\\n@@%s rc %s\\n' "$N" "$rc"; [ "$rc" = 0 ]; }}
"""

# R: the record of this run, made before its first step. A state that cannot be kept is not changed.
_RECORD = f"""{KEEP}
[ -z "$RUN" ] || R={RUNS}/$RUN
[ -z "$R" ] || [ -d "$R" ] || said=$(keep 2>&1) || refuse record "$said" 74
"""

_TAIL = r"""end
} </dev/null 2>&1 | tr '\000\200-\377' '?'
"""


@dataclass(frozen=True, slots=True)
class Failed:
    """A step that did not end well. `code` None = it never finished. `index` counts from 0."""

    index: int
    code: int | None
    what: str
    lines: tuple[str, ...]

    @property
    def locked(self) -> bool:
        return self.index < 0 and self.code == LOCKED

    @property
    def busy(self) -> bool:
        return self.index >= 0 and self.code == BUSY

    def __str__(self) -> str:
        if self.locked:
            return "another ongpu run is changing this host right now; run again when it is done"
        if self.index < 0:
            return self.what
        said = self.lines[-1].strip() if self.lines else ""
        end = "was cut off" if self.code is None else f"exit {self.code}"
        return f"could not {self.what}: {said} ({end})" if said else f"could not {self.what} ({end})"


def shell_of(step: Run | Put | Remove) -> str:
    """The shell of one step; quoted so that any content arrives as it is."""
    match step:
        case Run(command=command, stdin=stdin, seconds=seconds):
            bounded = _bounded(seconds, f"sh -c {shlex.quote(command)}")
            return bounded if stdin is None else f"{bounded} <<'{_end(stdin)}'\n{_closed(stdin)}"
        case Put():
            return _put(step)
        case Remove(path=path):
            return f"{_keep(path)}\nrm -f {shlex.quote(path)}"


def build(steps: Sequence[Run | Put | Remove], run: str = "") -> str:
    """One script for consecutive steps. A function per step, so that a here-document belongs to exactly one.

    `run`: the name under which the host keeps what it had before the run's first step; empty: nothing is kept.
    """
    functions = "".join(f"do_{index}() {{\n{shell_of(step)}\n}}\n" for index, step in enumerate(steps))
    calls = " && ".join(f"step {index} {shlex.quote(name_of(step))} do_{index}" for index, step in enumerate(steps))
    return f"{_HEAD}RUN={shlex.quote(run)} R=\n{functions}{_LOCK}{_RECORD}{calls}\n{_TAIL}"


def outcome(steps: Sequence[Run | Put | Remove], text: str, failure: str) -> Failed | None:
    """None when every step ended with 0 and the end marker arrived."""
    frames = split(text)
    parts = frames.outputs["steps"].parts if "steps" in frames.outputs else {}
    if "root" in parts:
        return Failed(-1, 77, "not root on this host: set `ssh: {sudo: true}`, or connect as root", ())
    if "lock" in parts:
        return Failed(-1, parts["lock"].rc, f"cannot write {STATE_DIR}: {parts['lock'].text.strip()}", ())
    if "record" in parts:
        said = parts["record"].text.strip()
        return Failed(-1, 74, f"disk full or not writable: the present state cannot be kept in {RUNS}: {said}", ())
    for index, step in enumerate(steps):
        part = parts.get(str(index))
        if part is None or part.rc is None:
            lines = tuple(part.lines) if part else ()
            return Failed(index, None, name_of(step), (*lines, failure or "the connection was lost"))
        if part.rc:
            return Failed(index, part.rc, name_of(step), tuple(part.lines[-10:]))
    return None if frames.complete else Failed(len(steps) - 1, None, "see the end of the steps", (failure,))


def name_of(step: Step) -> str:
    """A step as it is named in a sentence: "could not ..."."""
    match step:
        case Run(what=what):
            return what
        case Put(path=path):
            return f"write {path}"
        case Remove(path=path):
            return f"remove {path}"
        case Drain():
            return "wait until nothing is served"
        case Reboot():
            return "reboot"
        case Send(source=source):
            return f"copy {source} to the host"


def seconds_of(steps: Sequence[Run | Put | Remove]) -> int:
    """Upper bound of the whole script's run time."""
    return sum(step.seconds if isinstance(step, Run) else 30 for step in steps) + 60


def _bounded(seconds: int, command: str) -> str:
    return f"if command -v timeout >/dev/null 2>&1; then T='timeout {seconds}'; else T=; fi; $T {command}"


def _keep(path: str) -> str:
    """The previous version stays under BACKUPS, named by its content: a rerun does not keep it twice."""
    p = shlex.quote(path)
    return (
        f"if [ -f {p} ]; then sum=$(sha256sum <{p} | cut -c1-16); b={BACKUPS}{p}.$sum; "
        f'mkdir -p "${{b%/*}}" && {{ [ -f "$b" ] || cp -p {p} "$b"; }} || exit 1; fi'
    )


def _put(step: Put) -> str:
    # Same directory, then rename: a reader sees the old file or the new one; a kill leaves at most a .ongpu-new.
    p, new = shlex.quote(step.path), shlex.quote(step.path + ".ongpu-new")
    return "\n".join(
        [
            _keep(step.path),
            f"mkdir -p {shlex.quote(step.path.rpartition('/')[0])} || exit 1",
            f"( umask 077; cat >{new} ) <<'{_end(step.content)}' || exit 1",  # its mode comes before its place
            _closed(step.content).rstrip("\n"),
            f"chown {step.owner}:{step.group} {new} && chmod {step.mode} {new} || exit 1",
            f"sync {new} 2>/dev/null || :",
            f"mv -f {new} {p}",
        ]
    )


def _end(content: str) -> str:
    mark = "ONGPU_END"
    while mark in content:
        mark += "_"
    return mark


def _closed(content: str) -> str:
    body = content if content.endswith("\n") or not content else content + "\n"
    return f"{body}{_end(content)}\n"

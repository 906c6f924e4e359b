"""Read what a host remembers of its runs, and take one of them back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ongpu.engine.cell import cell_of, host_data, spec_of
from ongpu.engine.execute import execute
from ongpu.engine.look import forget, snapshot
from ongpu.engine.remote import run_script
from ongpu.errors import Exit, HostError, NothingToDo
from ongpu.host.reading import Known, Unreadable
from ongpu.host.run_record import FILES, MANIFEST, RUNS, parse
from ongpu.plan.context import Context
from ongpu.plan.types import Limits, Now, Plan
from ongpu.plan.undo import Record, undo
from ongpu.probe import octets
from ongpu.probe.frame import split
from ongpu.probe.output import Output
from ongpu.probe.script import build
from ongpu.probe.section import Section

if TYPE_CHECKING:
    from pyinfra.api.host import Host

    from ongpu.engine.cell import Trouble

_SHELL = rf"""{octets.SHELL}
{MANIFEST}
cd {RUNS} 2>/dev/null || {{ [ -d {RUNS} ] && p runs cat {RUNS}; return 0; }}
p runs ls -1
run= next=
for one in *; do
  [ -f "$one/manifest" ] || continue
  if [ -n "$run" ] && [ -z "$next" ] && [ -n "$WANTED" ]; then next=$one; fi
  case $one in *"$WANTED") [ -n "$run" ] && [ -n "$WANTED" ] || run=$one ;; esac
done
[ -n "$run" ] || return 0
p run echo "$run"
p steps cat "$run/steps"
p before cat "$run/manifest"
if [ -n "$next" ]; then p after cat "$next/manifest"; fi
p now manifest
for file in {" ".join(FILES)}; do
  [ -f "$run/files$file" ] && p "was:$file" slurp "$run/files$file"
  [ -f "$file" ] && p "is:$file" slurp "$file"
done
return 0
"""


def read(host: Host, run: str = "") -> Record:
    """What the host remembers of `run` (its name, or the end of it; empty: the last one).

    Raises NothingToDo when there is no such run, HostError when it could not be read.
    """
    section = Section(  # noqa: S604 - a field, no subprocess
        name="undo", shell=f"WANTED={run}\n{_SHELL}", parse=lambda o: Known(o, ""), seconds=30, max_bytes=4_000_000
    )
    answer = run_script(host, build((section,)), 60)
    output = split(answer.text).outputs.get("undo")
    if output is None or not output.complete:
        raise HostError(f"cannot read what {host.name} remembers of its runs: {answer.failure or 'cut off'}")
    return _record(host.name, run, output)


def _record(name: str, run: str, output: Output) -> Record:
    if "run" not in output.parts:
        if output["runs"].rc not in (0, None):
            raise HostError(f"cannot read {RUNS} on {name}: {output['runs'].trouble}; connect as root (sudo)")
        known = ", ".join(output["runs"].lines[-5:]) or "none"
        raise NothingToDo(f"{name} remembers no run {run or 'of ongpu'}; it remembers: {known}")
    before, now = parse(output["before"].lines), parse(output["now"].lines)
    after = parse(output["after"].lines) if "after" in output.parts else now
    if before is None or now is None or after is None:
        raise HostError(f"the record of {output['run'].text.strip()} on {name} is damaged: it cannot be taken back")
    found = output["run"].lines[0]
    return Record(
        run=found,
        before=before,
        after=after,
        now=now,
        files=_texts(output, "was:"),
        present=_texts(output, "is:"),
        steps=tuple(output["steps"].lines) if output["steps"].ok else (),
        later=tuple(one for one in output["runs"].lines if one > found and not one.endswith(".new")),
    )


def _texts(output: Output, family: str) -> dict[str, str]:
    decoded = {path: octets.decode_text(part) for path, part in output.startswith(family)}
    return {path: text for path, text in decoded.items() if not isinstance(text, Unreadable)}


def plan_undo(host: Host, record: Record) -> Plan:
    """What taking the run back would do to the host as it is now."""
    limits = host_data(host, "ongpu_limits")
    context = Context(
        spec=spec_of(host),
        snapshot=snapshot(host),
        now=Now(datetime.now(UTC)),
        limits=limits if isinstance(limits, Limits) else Limits(),
    )
    return undo(context, record)


def take_back(host: Host, record: Record, todo: Plan) -> Trouble | None:
    """Does what was shown, as a run of its own; stops at the first change that fails. None = the host is as it was."""
    for change in todo.changes:
        trouble = execute(host, change)
        forget(host)
        if trouble:
            return trouble
    left = undo_left(host, record)
    return None if not left else _not_done(left)


def undo_left(host: Host, record: Record) -> list[str]:
    """What is still not as it was, by a fresh look."""
    again = read(host, record.run)
    same = Record(run=again.run, before=record.before, after=record.after, now=again.now, files={}, present={})
    parts = [part for part in ("current", "binary") if same.differs(part)]
    return [*same.changed_files, *parts, *same.packages]


def _not_done(left: list[str]) -> Trouble:
    from ongpu.engine.cell import Trouble

    return Trouble(f"still not as it was before the run: {', '.join(left)}", Exit.FINDINGS)


def name_of_this_run(host: Host) -> str:
    """Under which the undo itself is remembered."""
    return cell_of(host).run_name()

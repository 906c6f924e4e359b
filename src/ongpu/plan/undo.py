"""What has to be done to take a run back: the host's files, release, unit and driver packages as they were before it.

Only what the run changed is put back, and only where it is not so already. A run that is taken back is a run itself,
with a record of its own: taking that back does the first one's work again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ongpu.host.ollama import Service
from ongpu.host.paths import BACKUPS, BINARY, CURRENT, DROP_IN, DROP_IN_DIR, PREVIOUS, RELEASES, UNIT, UNIT_FILE
from ongpu.host.run_record import State
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt
from ongpu.plan.endpoint import api_url
from ongpu.plan.files import diff
from ongpu.plan.policy import drained, require_restart
from ongpu.plan.release import install_of, service_of
from ongpu.plan.resources import restart
from ongpu.plan.resources.unit import RELOAD
from ongpu.plan.types import Blocked, Change, Interrupts, Plan, Put, Remove, Run, Step
from ongpu.plan.undo_driver import packages_back

_HOST = re.compile(r'^Environment="OLLAMA_HOST=([^"\\]*)"$', re.MULTILINE)
_SYSTEMD = (UNIT_FILE, f"{DROP_IN_DIR}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A run as the host remembers it. `before`/`after`: around the run; `files`: the text of our files before it,
    `present`: their text now; `steps`: what was done, one line each; `later`: names of runs since."""

    run: str
    before: State
    after: State
    now: State
    files: Mapping[str, str]
    present: Mapping[str, str]
    steps: tuple[str, ...] = ()
    later: tuple[str, ...] = ()

    def differs(self, part: str) -> bool:
        """Did the run change this part of the state, and is it not as it was before?"""
        return bool(getattr(self.before, part) not in (getattr(self.after, part), getattr(self.now, part)))

    @property
    def changed_files(self) -> list[str]:
        before, after, now = self.before.files, self.after.files, self.now.files
        return [path for path, was in before.items() if was != after.get(path) and was != now.get(path)]

    @property
    def packages(self) -> dict[str, str]:
        """name -> version before the run, empty for one that the run brought; only of those that the run changed."""
        before, after, now = self.before.packages, self.after.packages, self.now.packages
        names = sorted({*before, *after})
        return {
            name: before.get(name, ("", False))[0]
            for name in names
            if before.get(name) != after.get(name) and before.get(name) != now.get(name)
        }


def undo(context: Context, record: Record) -> Plan:
    """Pure. All or nothing: one part that may not be done blocks the whole."""
    try:
        return Plan(changes=tuple(_changes(context, record)))
    except Halt as halt:
        return Plan(blocked=(Blocked(resource="undo", why=halt.why, kind=halt.kind),))


def _changes(context: Context, record: Record) -> list[Change]:
    service = service_of(context)
    files = _files(record)
    release = [_release(context, record)] if record.differs("current") or record.differs("binary") else []
    packages = packages_back(context, record.packages, record.before.packages, record.now.packages)
    stops = record.now.has_unit and not record.before.has_unit
    if stops and service and service.is_running:
        require_restart(context, f"{UNIT} was not there before {record.run} and would be stopped")
    stop = [_stop(context)] if stops else []
    served = any(path.startswith(_SYSTEMD) for path in record.changed_files) or bool(release)
    again = [_restart(context, record, service)] if served and not stops and service and service.is_running else []
    if record.before.active == "active" and record.differs("active"):
        again = [_start(record)]
    return [*stop, *files, *release, *packages, *again]


def _files(record: Record) -> list[Change]:
    changes = []
    for path in record.changed_files:
        was = record.before.files[path]
        old = record.present.get(path, "")
        if was is None:
            steps: tuple[Step, ...] = (Remove(path=path),)
            summary, text = f"remove {path}", ""
        else:
            if path not in record.files:
                raise Halt("unknown", f"the content that {path} had before {record.run} could not be read")
            text = record.files[path]
            steps, summary = (Put(path=path, content=text, mode=f"0{was[1]}"),), f"put {path} back"
        if path.startswith(_SYSTEMD):
            steps = (*steps, RELOAD)
        changes.append(Change(resource="files", summary=summary, steps=steps, diff=diff(path, old, text)))
    return changes


def _release(context: Context, record: Record) -> Change:
    version = record.before.current
    if version and version not in install_of(context).kept:
        raise Halt(
            "unsupported",
            f"ollama {version} was removed from this host since {record.run}: declare that release and apply",
        )
    what = f"put ollama {version} back" if version else "take ongpu's ollama out of use"
    step = shell.run(
        what,
        "ollama-current",
        "undo-release",
        VERSION=version,
        WAS=record.before.binary,
        RELEASES=RELEASES,
        CURRENT=CURRENT,
        PREVIOUS=PREVIOUS,
        BINARY=BINARY,
        BACKUPS=BACKUPS,
    )
    return Change(resource="ollama", summary=f"{what} (it is {record.now.current or 'none of ours'})", steps=(step,))


def _stop(context: Context) -> Change:
    steps: tuple[Step, ...] = (
        *drained(context),
        Run(command=f"systemctl disable --quiet --now {UNIT}", what=f"stop {UNIT}", seconds=180),
    )
    interrupts = Interrupts.RESTART if drained(context) else Interrupts.NONE
    return Change(resource="restart", summary=f"stop and disable {UNIT}", steps=steps, interrupts=interrupts)


def _start(record: Record) -> Change:
    """The run has stopped it."""
    verb = "enable --quiet --now" if record.before.enabled == "enabled" else "start"
    step = Run(command=f"systemctl daemon-reload && systemctl {verb} {UNIT}", what=f"start {UNIT}", seconds=300)
    return Change(resource="restart", summary=f"start {UNIT}", steps=(step,))


def _restart(context: Context, record: Record, service: Service) -> Change:
    why = f"taking {record.run} back"
    require_restart(context, f"ollama needs a restart ({why})")
    drop_in = record.files.get(DROP_IN, "") if record.before.files.get(DROP_IN) else ""
    if DROP_IN not in record.changed_files:
        drop_in = record.present.get(DROP_IN, "")
    address = _HOST.search(drop_in)
    target = restart.Target(
        api=api_url(address[1] if address else ""),
        version=record.before.current if record.differs("current") else record.now.current,
        old=record.now.current if record.differs("current") else "",
        as_it_was=True,
    )
    steps: tuple[Step, ...] = (
        *drained(context),
        restart.step(context, service, target, verb="restart", what="restart ollama", why=why),
    )
    return Change(resource="restart", summary=f"restart {UNIT}: {why}", steps=steps, interrupts=Interrupts.RESTART)

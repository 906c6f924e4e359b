"""The drift check that runs by itself: a systemd timer, on each host for itself or on a controller for a fleet.

Checked as any other state: a timer that is stopped, a check that failed or has not run for long, is a difference.
"""

from __future__ import annotations

from datetime import timedelta

from packaging.requirements import Requirement

from ongpu.host.duration import in_words
from ongpu.host.paths import HEADER, VENV, WATCH_FLEET, WATCH_HISTORY, WATCH_KEY, WATCH_SERVICE, WATCH_TIMER
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.host.watch import WatchState
from ongpu.plan import openpgp, shell, systemd
from ongpu.plan.context import Context, Halt, Resource, because
from ongpu.plan.files import Written, written
from ongpu.plan.own_spec import own_fleet_file
from ongpu.plan.render import render
from ongpu.plan.resources.unit import RELOAD
from ongpu.plan.types import Change, Run, Step
from ongpu.spec.watch import Watch

_LIMIT = 300  # seconds beyond which a check of one host is stuck (`ongpu drift` stops itself at 240)
_MISSED = 3  # so many periods without a check: it is silent
_FINE = (0, 2, 3, 4)  # what `ongpu drift` says of hosts; other codes are about itself


def _changes(context: Context) -> list[Change]:
    watch = context.spec.watch
    assert watch is not None  # noqa: S101 - applies() says so
    state = _state(context)
    program, steps = _program(watch, state)
    files = [*_own_inventory(context, watch), *_units(context, watch, program)]
    steps += [file.put for file in files]
    if files or (state and (state.needs_reload or not state.timer_loaded)):
        steps.append(RELOAD)
    what = [f"install {watch.package}" if steps and isinstance(steps[0], Run) and steps[0] is not RELOAD else ""]
    what.append(f"write {', '.join(file.put.path for file in files)}" if files else "")
    if files or state is None or not (state.timer_active and state.timer_enabled and state.timer_loaded):
        steps.append(_ENABLE)
        what.append(f"check every {in_words(watch.every)}")
    if state and (reason := _unwell(context, watch, state)):
        steps.append(_CHECK)
        what.append(f"run the check again: {reason}")
    if not steps:
        return []
    diff = "".join(file.diff for file in files if file.put.path != WATCH_FLEET)  # it holds the environment's secrets
    return [Change(resource="watch", summary="; ".join(part for part in what if part), steps=tuple(steps), diff=diff)]


_ENABLE = Run(
    command="systemctl enable --now ongpu-drift.timer && systemctl restart ongpu-drift.timer",
    what="start ongpu-drift.timer",
    seconds=60,
)
_CHECK = shell.run("run the drift check", "watch-check", seconds=_LIMIT + 60)


def _state(context: Context) -> WatchState | None:
    match context.snapshot.watch:
        case Known(value=state):
            return state
        case Absent():
            return None
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell how the drift check is: {because(blind)}")


def _program(watch: Watch, state: WatchState | None) -> tuple[str, list[Step]]:
    """The ongpu that the timer runs, and what installs it."""
    there = value_or_none(state.program) if state else None
    if watch.package is None:
        if there:
            return there, []
        raise Halt(
            "refused",
            "there is no ongpu on this host to run the check: install it, or declare watch.package, what pip is to "
            "install",
        )
    version = value_or_none(state.version) if state else None
    if there == f"{VENV}/bin/ongpu" and _fits(watch.package, version):
        return there, []
    step = shell.run(f"install {watch.package} into {VENV}", "venv", seconds=900, VENV=VENV, PACKAGE=watch.package)
    return f"{VENV}/bin/ongpu", [step]


def _fits(package: str, version: str | None) -> bool:
    if version is None:
        return False
    if package.startswith("https://"):
        return f"/ongpu-{version}-" in package
    return Requirement(package).specifier.contains(version, prereleases=True)


def _own_inventory(context: Context, watch: Watch) -> list[Written]:
    if watch.fleet:
        return []
    key = context.spec.driver.repository.key_text
    wanted = [(WATCH_KEY, openpgp.with_comment(key, HEADER), "0644")] if key and context.spec.driver.manage else []
    wanted.append((WATCH_FLEET, own_fleet_file(context.spec), "0600"))
    return [file for path, content, mode in wanted if (file := written(context, path, content, mode))]


def _units(context: Context, watch: Watch, program: str) -> list[Written]:
    words = [program, "drift", "--debounce", str(watch.debounce)]
    if watch.fleet:
        seconds = max(_LIMIT, int(watch.every.total_seconds()))
    else:
        words += ["-i", WATCH_FLEET, "--history", WATCH_HISTORY, "--local-name", context.spec.name]
        seconds = _LIMIT
    words += [word for name, path in sorted(watch.out.items()) for word in ("--out", f"{name}={path}")]
    service = render(
        "ongpu-drift.service.j2",
        fleet=watch.fleet.replace("%", "%%") if watch.fleet else None,
        user=watch.user,
        command=systemd.command(words),
        seconds=seconds,
    )
    timer = render(
        "ongpu-drift.timer.j2",
        words=in_words(watch.every),
        calendar=_calendar(watch.every),
        jitter=int(watch.every.total_seconds() / 3),
    )
    return [
        file
        for path, content in ((WATCH_SERVICE, service), (WATCH_TIMER, timer))
        if (file := written(context, path, content))
    ]


def _calendar(every: timedelta) -> str:
    """systemd.time(7). `spec.values.period` let only parts of an hour or of a day through."""
    minutes = int(every.total_seconds() // 60)
    return f"*:0/{minutes}" if minutes < 60 else f"0/{minutes // 60}:00"


def _unwell(context: Context, watch: Watch, state: WatchState) -> str:
    """Why the check does not do its work, though its timer is on; empty when it does or has not run yet."""
    code = value_or_none(state.exit_code)
    result = value_or_none(state.result)
    if code is not None and (code not in _FINE or result not in ("success", "")):
        return f"the last one ended with {result} (exit {code}), see `journalctl -u ongpu-drift`"
    at = value_or_none(state.triggered_at)
    if at is not None and context.now.at - at > _MISSED * watch.every:
        return f"the last one was {in_words(context.now.at - at)} ago, {in_words(watch.every)} is declared"
    return ""


RESOURCE = Resource(name="watch", applies=lambda spec: spec.watch is not None, changes=_changes)

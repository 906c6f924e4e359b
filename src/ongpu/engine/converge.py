"""The one generic operation: make one resource of a host as declared (design D3, D6).

pyinfra runs an operation's generator twice: at prepare until its first yield (will it change?), at execute in
full. So the plan is made afresh in both; what is done never exceeds what was shown.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import pyinfra_cli  # noqa: F401 - patches the standard library for gevent: before paramiko is imported
from pyinfra import context
from pyinfra.api.command import FunctionCommand

from ongpu.engine.cell import Cell, cell_of, declare, host_data, spec_of
from ongpu.engine.execute import execute
from ongpu.engine.foresee import foresee
from ongpu.engine.look import forget, snapshot
from ongpu.engine.safety import breaker
from ongpu.errors import Exit, OngpuError
from ongpu.fit.foreseen import Foreseen
from ongpu.host.result import PlannedChange
from ongpu.plan.build import plan
from ongpu.plan.types import Blocked, Change, Interrupts, Limits, Now, Plan

if TYPE_CHECKING:
    from pyinfra.api.host import Host
    from pyinfra.api.state import State

log = logging.getLogger("pyinfra")
_STILL_NOW = timedelta(seconds=30)  # a window for restarts may have ended since
_EXIT = {"refused": Exit.REFUSED, "unknown": Exit.UNKNOWN, "unsupported": Exit.FINDINGS}


def plan_of(host: Host) -> Plan:
    """The plan for a host as it is now, within the limits of the host data `ongpu_limits` and `ongpu_force`."""
    given = host_data(host, "ongpu_limits")
    limits = given if isinstance(given, Limits) else Limits()
    if str(host_data(host, "ongpu_force")).lower() in ("true", "1", "yes"):
        limits = replace(limits, force=True)
    cell, spec, seen, now = cell_of(host), spec_of(host), snapshot(host), Now(datetime.now(UTC))
    if cell.planned is not None:  # every operation asks: it is the same plan while nothing changes
        spec_then, seen_then, limits_then, then, made = cell.planned
        if spec_then is spec and seen_then is seen and limits_then == limits and now.at - then.at < _STILL_NOW:
            return made
    made = plan(spec, seen, now, limits)
    if _is_for_models(made) and spec.models:
        made = plan(spec, seen, now, limits, _foreseen(host))
    cell.planned = (spec, seen, limits, now, made)
    return made


def _is_for_models(todo: Plan) -> bool:
    """Does it restart the service, or bring a model? Then whether the models fit is worth a round trip."""
    parts = [todo.of(resource) for resource in ("override", "restart", "models")]
    return any(part.changes or part.deferred for part in parts)


def _foreseen(host: Host) -> Mapping[str, Foreseen]:
    """Looked up once in each phase; it does not change with what this run does to the host."""
    cell = cell_of(host)
    phase = host.state.is_executing
    if cell.foreseen is None or cell.foreseen[0] != phase:
        cell.foreseen = (phase, foresee(host, spec_of(host), snapshot(host)))
    return cell.foreseen[1]


def converge(resource: str, spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """Yields at most two commands: do the change; or fail with one sentence. Nothing to do: yields nothing.

    `spec`: a part of a spec that the operation declares itself, over the host data key `ongpu`.
    """
    host: Host = context.ctx_host.get()  # the Host itself, not its proxy
    cell = cell_of(host)
    declare(host, spec)
    if host.current_op_hash:
        cell.ours.add(host.current_op_hash)
    try:
        todo = plan_of(host).of(resource)
        if context.state.is_executing:
            yield from _do(host, cell, resource, todo)
        else:
            yield from _show(host, cell, resource, todo)
    except OngpuError as error:
        yield from _stop(host, str(error), error.exit_code)
    except Exception as error:
        log.debug("ongpu bug", exc_info=True)
        yield from _stop(host, f"{resource}: ongpu bug, please report: {error!r}", Exit.ERROR)


def _stop(host: Host, sentence: str, code: Exit) -> Generator[FunctionCommand, None, None]:
    """The host fails when this is executed. In a dry run it is told, once, and is no change."""
    if context.state.is_executing:
        yield failure(host, sentence, code)
        return
    cell = cell_of(host)
    if sentence not in cell.told:
        cell.told.add(sentence)
        host.log_styled(sentence, fg="yellow", log_func=log.warning)
    host.noop(sentence)


def _show(host: Host, cell: Cell, resource: str, todo: Plan) -> Generator[FunctionCommand, None, None]:
    for blocked in todo.blocked:
        if blocked.why in cell.told:
            continue  # the same holds up several resources
        cell.told.add(blocked.why)
        host.log_styled(f"{resource}: {blocked.why}", fg="yellow", log_func=log.warning)
        _note(cell, blocked.resource, "blocked", blocked.why)
    for change in todo.changes:
        interrupts = f"  (interrupts: {change.interrupts})" if change.interrupts else ""
        host.log_styled(f"{resource}: {change.summary}{interrupts}", fg="cyan")
        if change.diff and host.state.config.DIFF:
            host.log(change.diff.rstrip("\n"))
        _note(cell, resource, "change", change.summary, change)
    for late in todo.deferred:
        if late.waits_for:
            if late.why not in cell.told:
                cell.told.add(late.why)
                host.log_styled(f"{resource} and what follows it: later, {late.why}", fg="cyan")
            continue
        may = f"  (may interrupt: {late.may_interrupt})" if late.may_interrupt else ""
        host.log_styled(f"{resource}: later, {late.why}{may}", fg="cyan")
        _note(cell, resource, "deferred", late.why)
    cell.shown = cell.shown or {}
    if todo.empty:
        host.noop(f"{resource} is as declared")
    elif todo.changes or todo.deferred:
        cell.shown[resource] = todo.interrupts
        yield FunctionCommand(_never, (), {})  # marks "will change"; at execute the generator starts anew


def _never(state: State, host: Host) -> bool:
    raise AssertionError("a prepared command is never executed")


def _do(host: Host, cell: Cell, resource: str, todo: Plan) -> Generator[FunctionCommand, None, None]:
    if todo.blocked:
        yield refusal(host, todo.blocked[0])
        return
    if todo.deferred:
        yield failure(host, f"{resource}: {todo.deferred[0].why}", Exit.UNKNOWN)
        return
    for change in todo.changes:
        if reason := _not_allowed(host, cell, change):
            yield failure(host, reason, Exit.REFUSED)
            return
        host.log(f"{resource}: {change.summary}")
        yield FunctionCommand(_run_change, (change,), {})
    if not todo.changes:
        host.noop(f"{resource} is as declared")
        return
    left = plan_of(host).of(resource)  # every change forgot the snapshot: this is a fresh look
    if not left.empty:
        still = [c.summary for c in left.changes] + [late.why for late in left.deferred] + [b.why for b in left.blocked]
        yield failure(host, f"{resource} was changed but is still not as declared: {still[0]}", Exit.FINDINGS)
        return


def _not_allowed(host: Host, cell: Cell, change: Change) -> str:
    """Why this change may not be done now, in one sentence; empty when it may."""
    if change.interrupts and (stopped := breaker(host)):
        return f"{change.resource}: not tried, {stopped}"
    if cell.shown is None:
        return ""  # -y: no plan was shown, the spec's own policy is the limit
    allowed = cell.shown.get(change.resource)
    if allowed is None or change.interrupts > allowed:
        return f"{change.summary}: this was not in the plan that was shown; run again to see the new plan"
    return ""


def _run_change(state: State, host: Host, change: Change) -> bool:
    cell = cell_of(host)
    trouble = execute(host, change)
    forget(host)
    _note(cell, change.resource, "change", change.summary, change, done=trouble is None)
    if trouble is None:
        return True
    cell.broken |= bool(change.interrupts) and trouble.code is not Exit.REFUSED
    return say(host, trouble.sentence, trouble.code)


def note_change(cell: Cell, change: Change, done: bool) -> None:
    """A change that was tried outside of an operation."""
    _note(cell, change.resource, "change", change.summary, change, done=done)


def refusal(host: Host, blocked: Blocked) -> FunctionCommand:
    """A command that fails this host with the reason of a refused part."""
    _note(cell_of(host), blocked.resource, "blocked", blocked.why)
    return failure(host, f"{blocked.resource}: {blocked.why}", _EXIT[blocked.kind])


def failure(host: Host, sentence: str, code: Exit) -> FunctionCommand:
    """A command that fails this host, and only this host, with one sentence and no traceback."""
    return FunctionCommand(_fail, (sentence, code), {})


def _fail(state: State, host: Host, sentence: str, code: Exit) -> bool:
    return say(host, sentence, code)


def say(host: Host, sentence: str, code: Exit) -> bool:
    """Prints and keeps the reason; False = "this operation failed" to pyinfra."""
    cell_of(host).fail(sentence, code)
    host.log_styled(sentence, fg="red", log_func=log.error)
    return False


def _note(
    cell: Cell,
    resource: str,
    kind: Literal["change", "deferred", "blocked"],
    summary: str,
    change: Change | None = None,
    done: bool | None = None,
) -> None:
    states: dict[bool | None, Literal["planned", "done", "failed"]] = {None: "planned", True: "done", False: "failed"}
    cell.note(
        PlannedChange(
            resource=resource,
            kind=kind,
            summary=summary,
            diff=change.diff if change else "",
            interrupts=(change.interrupts if change else Interrupts.NONE).word,
            state=states[done],
        )
    )

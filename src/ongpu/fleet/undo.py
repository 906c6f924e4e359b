"""`ongpu undo` over hosts: each record is read, shown, taken back; no more hosts at a time than may be interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from gevent.lock import BoundedSemaphore

from ongpu.engine.cell import cell_of
from ongpu.engine.look import snapshot
from ongpu.engine.safety import fleet_wide
from ongpu.engine.undo import plan_undo, read, take_back
from ongpu.engine.workarounds import never_ask_for_passwords
from ongpu.errors import Exit, HostError, OngpuError
from ongpu.fleet.results import changes_of, gpus_of, undeclared, unreached
from ongpu.fleet.session import Options, each, open_state
from ongpu.host.result import HostResult, HostVerdict
from ongpu.plan.types import Plan
from ongpu.plan.undo import Record

if TYPE_CHECKING:
    from pyinfra.api.host import Host

_VERDICTS: dict[Exit, HostVerdict] = {Exit.REFUSED: "refused", Exit.UNKNOWN: "unknown"}
_BLOCKED: dict[str, HostVerdict] = {"refused": "refused", "unknown": "unknown", "unsupported": "findings"}


def undo_fleet(options: Options, run: str, shown: Mapping[str, str] | None = None) -> Iterator[HostResult]:
    """What taking `run` back would do (empty: each host's last run). With `shown` (host -> the run that its operator
    saw), it is done, for these hosts and these runs only."""
    never_ask_for_passwords()
    state, hosts = open_state(options)
    interrupted = BoundedSemaphore(fleet_wide(state).interrupted)

    def work(host: Host) -> HostResult:
        try:
            if shown is None:
                record = read(host, run)
                return _foreseen(host, record, plan_undo(host, record))
            with interrupted:
                record = read(host, shown[host.name])
                return _done(host, record, plan_undo(host, record))
        except HostError as error:
            return unreached(host.name, str(error))
        except OngpuError as error:
            return undeclared(host.name, str(error))

    chosen = hosts if shown is None else [host for host in hosts if host.name in shown]
    yield from each(state, chosen, options, work, lambda host, why: unreached(host.name, why))


def _foreseen(host: Host, record: Record, todo: Plan) -> HostResult:
    result = HostResult(
        host=host.name,
        verdict="ok",
        summary=f"nothing of {record.run} is left to take back",
        gpus=gpus_of(snapshot(host)),
        changes=changes_of(todo),
        facts={"run": record.run},
    )
    if todo.blocked:
        return replace(result, verdict=_BLOCKED[todo.blocked[0].kind], summary=todo.blocked[0].why)
    if todo.changes:
        since = f"; changed again since, by {', '.join(record.later)}" if record.later else ""
        cost = f", interrupts: {todo.interrupts}" if todo.interrupts else ""
        return replace(
            result, verdict="findings", summary=f"{record.run}: {len(todo.changes)} to take back{cost}{since}"
        )
    return result


def _done(host: Host, record: Record, todo: Plan) -> HostResult:
    result = _foreseen(host, record, todo)
    if not todo.changes:
        return result
    trouble = take_back(host, record, todo)
    changes = tuple(replace(change, state="failed" if trouble else "done") for change in result.changes)
    if trouble:
        verdict = _VERDICTS.get(trouble.code, "failed")
        return replace(result, verdict=verdict, summary=trouble.sentence, error=trouble.sentence, changes=changes)
    own = cell_of(host).run_name()
    return replace(
        result, verdict="ok", summary=f"{record.run} is taken back (`ongpu undo {own}` does it again)", changes=changes
    )

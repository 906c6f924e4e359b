"""The repair as an operation's body: shown at prepare, done at execute; the host fails where something stays."""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator
from typing import TYPE_CHECKING

from pyinfra import context
from pyinfra.api.command import FunctionCommand

from ongpu.engine.cell import cell_of, spec_of
from ongpu.engine.converge import failure, say
from ongpu.engine.repair import fixes_of, repair
from ongpu.engine.repairing import Wanted
from ongpu.errors import Exit, OngpuError
from ongpu.host.result import FixState, RuleFix
from ongpu.plan.types import Interrupts
from ongpu.rules.catalogue import entry_of

if TYPE_CHECKING:
    from pyinfra.api.host import Host
    from pyinfra.api.state import State

log = logging.getLogger("pyinfra")
_CODES: dict[FixState, Exit] = {"refused": Exit.REFUSED, "unconfirmed": Exit.UNKNOWN}


def fixing(rules: Collection[str], allow: str) -> Generator[FunctionCommand, None, None]:
    """Yields one command where something is to be repaired: all of it happens there."""
    host: Host = context.ctx_host.get()
    cell = cell_of(host)
    if host.current_op_hash:
        cell.ours.add(host.current_op_hash)
    try:
        spec_of(host)
        ids = frozenset(entry_of(name).rule.id for name in rules)
        wanted = Wanted(rules=ids, allowed=Interrupts[allow.upper()] if allow else Interrupts.NONE)
        repair(host, Wanted(rules=wanted.rules, allowed=wanted.allowed, dry=True))
        found = fixes_of(cell)
        if not found:
            host.noop("nothing to repair is found")
        elif context.state.is_executing:
            cell.fixes.clear()  # those of the look without hands
            yield FunctionCommand(_repair, (wanted,), {})
        else:
            for fix in found:
                host.log_styled(_line(fix), fg="cyan" if fix.state == "planned" else "yellow")
            cell.fixes.clear()
            yield FunctionCommand(_repair, (wanted,), {})  # marks "will change"; at execute the generator starts anew
    except OngpuError as error:
        yield failure(host, str(error), error.exit_code)
    except Exception as error:  # else one host's bug stops the fleet: pyinfra re-raises it for all
        log.debug("ongpu bug", exc_info=True)
        yield failure(host, f"fix: ongpu bug, please report: {error!r}", Exit.ERROR)


def _repair(state: State, host: Host, wanted: Wanted) -> bool:
    repair(host, wanted)
    fixes = fixes_of(cell_of(host))
    for fix in fixes:
        host.log_styled(_line(fix), fg="green" if fix.state == "fixed" else "yellow")
    left = [fix for fix in fixes if fix.state != "fixed"]
    return True if not left else say(host, _line(left[0]), _CODES.get(left[0].state, Exit.FINDINGS))


def _line(fix: RuleFix) -> str:
    return f"{fix.rule} {fix.cause}: {fix.state}: {fix.why or fix.summary}"

"""Do one change on a host: its steps in as few execs as possible, drained, bounded, explained."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ongpu.engine.cell import Trouble, cell_of
from ongpu.engine.progress import told
from ongpu.engine.reboot import reboot
from ongpu.engine.remote import run_script
from ongpu.engine.send import send
from ongpu.engine.steps import Failed, build, outcome, seconds_of
from ongpu.errors import Exit
from ongpu.host.duration import in_words
from ongpu.plan.types import Change, Drain, Put, Reboot, Remove, Run, Send, Step
from ongpu.probe import busy

if TYPE_CHECKING:
    from pyinfra.api.host import Host

Plain = Run | Put | Remove


def execute(host: Host, change: Change) -> Trouble | None:
    """Runs the steps in order and stops at the first that fails. None = all done.

    A step that finds somebody being served after the wait (a request can come in between any two looks) sends us back
    to waiting, until the limit.
    """
    waited: Drain | None = None
    deadline = 0.0
    for group in _groups(change.steps):
        match group:
            case Drain():
                waited, deadline = group, time.monotonic() + group.limit.total_seconds()
                trouble = drain(host, group, deadline)
            case Reboot():
                trouble = reboot(host, group)
            case Send():
                trouble = send(host, group)
            case _:
                failed = _run(host, group)
                while failed and failed.busy and waited:
                    if refused := drain(host, waited, deadline):
                        return _named(change, refused)
                    failed = _run(host, group)
                trouble = _trouble(failed)
        if trouble:
            return _named(change, trouble)
    return None


def _named(change: Change, trouble: Trouble) -> Trouble:
    return Trouble(f"{change.resource}: {trouble.sentence}", trouble.code)


def _groups(steps: tuple[Step, ...]) -> Iterator[list[Plain] | Drain | Reboot | Send]:
    """Consecutive plain steps travel as one script."""
    plain: list[Plain] = []
    for step in steps:
        if isinstance(step, Drain | Reboot | Send):
            if plain:
                yield plain
                plain = []
            yield step
        else:
            plain.append(step)
    if plain:
        yield plain


def _run(host: Host, steps: list[Plain]) -> Failed | None:
    files = [step.progress for step in steps if isinstance(step, Run) and step.progress]
    with told(host, files[0] if files else ""):
        answer = run_script(host, build(steps, cell_of(host).run_name()), seconds_of(steps))
    return outcome(steps, answer.text, answer.failure)


def _trouble(failed: Failed | None) -> Trouble | None:
    if failed is None:
        return None
    return Trouble(str(failed), Exit.REFUSED if failed.locked or failed.busy else Exit.FINDINGS)


def drain(host: Host, step: Drain, deadline: float | None = None) -> Trouble | None:
    """Waits until two looks in a row find nothing being served; refuses at the limit, and when it cannot look.

    `deadline`: on the monotonic clock, where the waiting began earlier.
    """
    if deadline is None:
        deadline = time.monotonic() + step.limit.total_seconds()
    quiet = 0
    while True:
        answer = run_script(host, busy.SCRIPT, 60)
        match busy.parse(answer.text):
            case busy.Idle():
                quiet += 1
                if quiet >= 2:
                    return None
                continue
            case busy.Busy(why=why):
                quiet, state = 0, f"still busy after {in_words(step.limit)}: {why}"
            case busy.Blind(why=why):
                quiet, state = 0, f"cannot tell whether something is being served: {answer.failure or why}"
        if time.monotonic() >= deadline:
            return Trouble(f"restart refused, {state}", Exit.REFUSED)
        time.sleep(1)

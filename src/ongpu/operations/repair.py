"""Repair what the rules find, as an operation. Spec as in `nvidia`; the dry run says what would be done."""

from __future__ import annotations

from collections.abc import Collection, Generator

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from ongpu.engine.fixing import fixing


@operation()
def repair(rules: Collection[str] = (), allow: str = "") -> Generator[FunctionCommand, None, None]:
    """What the rules find is repaired, within the class that is allowed; the same rules confirm it.

    + rules: ids or causes of rules; default: every one that fires
    + allow: `restart` or `reboot`, the most that may be interrupted; default: nothing

    Interrupts: Ollama restart or reboot, where allowed.
    """
    yield from fixing(rules, allow)

"""The same over pyinfra's connectors, for inventories with hosts that only they reach. Imports pyinfra."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from ongpu.engine.answer import Answer
from ongpu.engine.remote import run_script
from ongpu.engine.workarounds import never_ask_for_passwords
from ongpu.errors import OngpuError
from ongpu.fleet.options import Options
from ongpu.fleet.reading.inventory import Declared
from ongpu.fleet.reading.way import Trouble
from ongpu.fleet.session import each, open_state

if TYPE_CHECKING:
    from pyinfra.api.host import Host

T = TypeVar("T")


def through_pyinfra(
    options: Options,
    script: Callable[[Declared], str],
    result: Callable[[Declared, Answer], T],
    trouble: Trouble[T],
    seconds: int,
) -> Iterator[T]:
    """As `ongpu.fleet.reading.stream.stream`."""
    never_ask_for_passwords()
    state, hosts = open_state(options)

    def look(host: Host) -> T:
        known = Declared(name=host.name, connector="pyinfra", groups=tuple(host.groups), data=host.data.dict())
        try:
            text = script(known)
        except OngpuError as error:
            return trouble(host.name, str(error), "inventory")
        return result(known, run_script(host, text, min(seconds, options.seconds)))

    yield from each(state, hosts, options, look, lambda host, why: trouble(host.name, why))

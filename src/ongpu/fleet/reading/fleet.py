"""Reads the hosts of an inventory with one script each: by this package where it can, else through pyinfra."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TypeVar

from ongpu.engine.answer import Answer
from ongpu.fleet.options import Options
from ongpu.fleet.reading.inventory import Declared, declared
from ongpu.fleet.reading.stream import reachable, stream
from ongpu.fleet.reading.way import Trouble

T = TypeVar("T")


def _is_patched() -> bool:
    """An inventory that imports pyinfra's command line has the standard library patched for gevent: no asyncio then."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


def read_fleet(
    options: Options,
    script: Callable[[Declared], str],
    result: Callable[[Declared, Answer], T],
    trouble: Trouble[T],
    seconds: int,
) -> Iterator[T]:
    """As `ongpu.fleet.reading.stream.stream`. Raises ConfigError or NothingToDo before any connection."""
    hosts = declared(options)
    if reachable(hosts) and not _is_patched():
        yield from stream(hosts, options, script, result, trouble, seconds)
        return
    from ongpu.fleet.reading.through_pyinfra import through_pyinfra

    yield from through_pyinfra(options, script, result, trouble, seconds)

"""What is common to all verbs over a fleet, and which hosts it selects. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, Protocol, TypeVar

from ongpu.errors import NothingToDo


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is common to all verbs. `seconds` bounds one host, everything included. `force`: go on with models that
    cannot fit on the GPUs. `shard` = (i, n): only every n-th of the selected hosts, from the i-th on (1-based)."""

    inventory: str = "inventory.py"
    limit: tuple[str, ...] = ()
    parallel: int = 50
    seconds: int = 600
    force: bool = False
    shard: tuple[int, int] = (1, 1)

    @property
    def data(self) -> dict[str, Any]:
        """Host data that beat the inventory's."""
        return {"ongpu_force": True} if self.force else {}


class Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def groups(self) -> Sequence[str]: ...


H = TypeVar("H", bound=Named)


def selected(every: Iterable[H], options: Options) -> list[H]:
    """The hosts that the options mean. Raises NothingToDo for an empty inventory, and for a pattern without a host."""
    hosts = list(every)
    if not hosts:
        raise NothingToDo(f"{options.inventory}: no host is declared")
    for pattern in options.limit:
        if not any(_fits(host, pattern) for host in hosts):
            raise NothingToDo(f"no host and no group of {options.inventory} matches {pattern!r}")
    if options.limit:
        hosts = [host for host in hosts if any(_fits(host, pattern) for pattern in options.limit)]
    first, shards = options.shard
    if shards > 1:
        hosts = hosts[first - 1 :: shards]
        if not hosts:
            raise NothingToDo(f"{options.inventory}: shard {first} of {shards} has no host")
    return hosts


def _fits(host: Named, pattern: str) -> bool:
    return fnmatch(host.name, pattern) or pattern in host.groups

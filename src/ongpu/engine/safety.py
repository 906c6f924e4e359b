"""Limits that hold for every way in, `ongpu apply` and plain pyinfra alike (design D6)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ongpu.engine.cell import cell_of, spec_of
from ongpu.errors import OngpuError

if TYPE_CHECKING:
    from pyinfra.api.host import Host
    from pyinfra.api.state import State


def share(text: str, of: int) -> int:
    """`"5%"` or `"3"` of `of` hosts, rounded up: 5 % of 10 hosts is one, 0 % is none."""
    number = float(text.strip().removesuffix("%"))
    return math.ceil(number * of / 100) if text.strip().endswith("%") else int(number)


def hosts_of_run(state: State) -> list[Host]:
    """The hosts that this run is about: shares and limits count these, not the whole inventory."""
    return [host for host in state.inventory if state.is_host_in_limit(host)]


def broken_hosts(state: State) -> int:
    """Hosts on which an interrupting change (restart, reboot) or the proof after it failed so far.

    Counted here because pyinfra counts failures only after an operation's last batch. A host that failed
    before anything was interrupted (a wrong checksum, no sudo) says nothing about the others' restarts.
    """
    return sum(cell_of(host).broken for host in state.inventory)


def breaker(host: Host) -> str:
    """Why no further host may be interrupted: too many went bad already. Empty when it may go on."""
    total = len(hosts_of_run(host.state))
    limit = share(spec_of(host).rollout.max_failures, total)
    broken = broken_hosts(host.state)
    if broken > limit:
        return f"{broken} of {total} hosts went bad in this run and rollout.max_failures allows {limit}"
    return ""


def rule_breaker(host: Host, rule: str) -> str:
    """Why the repair of one rule is not tried on further hosts: it did not help, or did harm, on too many. Empty when
    it may go on. The same share as for interruptions (`rollout.max_failures`)."""
    total = len(hosts_of_run(host.state))
    limit = share(spec_of(host).rollout.max_failures, total)
    tried = [fix for other in host.state.inventory if (fix := cell_of(other).fixes.get(rule))]
    bad = sum(fix.state in ("failing", "worse", "failed") for fix in tried)
    if bad > limit:
        return f"not tried: it did not repair {bad} of {total} hosts, and rollout.max_failures allows {limit}"
    return ""


def at_most(shares: Iterable[str], of: int) -> int:
    """The smallest of several shares, at least 1: how many hosts an operation may work on at the same time."""
    return max(1, min((share(text, of) for text in shares), default=of))


@dataclass(frozen=True, slots=True)
class FleetWide:
    """Hosts that may be interrupted, or may pull a model, at the same time."""

    interrupted: int
    pulls: int


def fleet_wide(state: State) -> FleetWide:
    """The strictest of what the hosts' specs allow: pyinfra wants one `_parallel` for all hosts of an operation.

    Hosts without a valid spec have no say; they are refused by their first operation.
    """
    hosts, shares, pulls = hosts_of_run(state), list[str](), list[int]()
    for host in hosts:
        try:
            spec = spec_of(host)
        except OngpuError:
            continue
        shares.append(spec.service.max_unavailable)
        pulls.append(spec.rollout.max_pulls)
    return FleetWide(at_most(shares, len(hosts)), min(pulls, default=1))

"""`ongpu diagnose` on live hosts: read each in one round trip, ask every rule. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ongpu.engine.look import snapshot
from ongpu.fleet.results import gpus_of, unreached
from ongpu.fleet.session import Options, each, open_state
from ongpu.host.result import HostResult
from ongpu.rules.from_snapshot import evidence_from
from ongpu.rules.host_result import diagnosed

if TYPE_CHECKING:
    from pyinfra.api.host import Host


def diagnose_fleet(options: Options) -> Iterator[HostResult]:
    """One result per host, as they answer; a host that cannot be read is unknown."""

    def work(host: Host) -> HostResult:
        value = snapshot(host)
        return diagnosed(host.name, evidence_from(value), gpus_of(value))

    state, hosts = open_state(options)
    yield from each(state, hosts, options, work, lambda host, why: unreached(host.name, why))

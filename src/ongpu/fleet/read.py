"""`ongpu plan` and `ongpu verify` over a fleet, through pyinfra. One host after another as they answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ongpu.engine.cell import cell_of
from ongpu.engine.converge import plan_of
from ongpu.engine.verify import prove_now
from ongpu.errors import OngpuError
from ongpu.fleet.options import Options
from ongpu.fleet.results import of_plan, of_run, undeclared, unreached
from ongpu.fleet.session import each, open_state
from ongpu.host.result import HostResult

if TYPE_CHECKING:
    from pyinfra.api.host import Host


def plan_fleet(options: Options) -> Iterator[HostResult]:
    """What apply would change, host by host."""

    def work(host: Host) -> HostResult:
        try:
            return of_plan(host, plan_of(host))
        except OngpuError as error:
            return undeclared(host.name, str(error))

    state, hosts = open_state(options)
    yield from each(state, hosts, options, work, lambda host, why: unreached(host.name, why))


def verify_fleet(options: Options, load: bool) -> Iterator[HostResult]:
    """Prove the declared models; with `load`, load what is not resident if nothing is evicted for it."""

    def work(host: Host) -> HostResult:
        try:
            prove_now(host, load=load)
        except OngpuError as error:
            cell_of(host).fail(str(error), error.exit_code)
        return of_run(host)

    state, hosts = open_state(options)
    yield from each(state, hosts, options, work, lambda host, why: unreached(host.name, why))

"""The reading verbs over a fleet: plan, verify, snapshot. One host after another as they answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ongpu.engine.cell import cell_of
from ongpu.engine.converge import plan_of
from ongpu.engine.look import snapshot
from ongpu.engine.verify import prove_now
from ongpu.errors import OngpuError
from ongpu.fleet.results import of_plan, of_run, undeclared, unreached
from ongpu.fleet.session import Options, each, open_state
from ongpu.host import codec
from ongpu.host.redact import redact
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


def snapshot_fleet(options: Options, keep_secrets: bool = False) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """(host, snapshot as JSON-able dict, "") or (host, None, why). Secrets are redacted unless asked for."""

    def work(host: Host) -> tuple[str, dict[str, Any] | None, str]:
        value = snapshot(host)
        return host.name, codec.dump(value if keep_secrets else redact(value), host.name), ""

    state, hosts = open_state(options)
    yield from each(state, hosts, options, work, lambda host, why: (host.name, None, why))

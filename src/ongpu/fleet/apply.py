"""`ongpu apply`: the deploy, canary first, then batch by batch; stops when a batch goes bad (design D6)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyinfra_cli  # noqa: F401 - patches the standard library for gevent: before paramiko is imported
from pyinfra.api.deploy import add_deploy
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.operations import run_ops
from pyinfra.api.state import State, StateStage

from ongpu.deploys.gpu import gpu
from ongpu.engine.cell import cell_of
from ongpu.engine.safety import share
from ongpu.fleet.connect import connect, disconnect
from ongpu.fleet.options import Options
from ongpu.fleet.results import of_run, unreached
from ongpu.fleet.session import open_state
from ongpu.host.result import HostResult
from ongpu.plan.types import Interrupts
from ongpu.spec.model import Rollout

log = logging.getLogger("ongpu")

Shown = Mapping[str, Mapping[str, Interrupts]]  # host -> resource -> the most it may interrupt


def shown_in(results: Sequence[HostResult]) -> Shown:
    """What the operator saw in a plan: nothing beyond it is done."""
    seen: dict[str, dict[str, Interrupts]] = {}
    for result in results:
        most = seen.setdefault(result.host, {})
        for change in result.changes:
            level = Interrupts[change.interrupts.upper()]
            most[change.resource] = max(level, most.get(change.resource, Interrupts.NONE))
    return seen


def batches(hosts: Sequence[str], rollout: Rollout) -> list[list[str]]:
    """Canaries first, then the declared shares of the whole run, then everybody who is left."""
    canary = [name for name in hosts if name in set(rollout.canary)]
    rest = [name for name in hosts if name not in set(canary)]
    cut = [canary] if canary else []
    for size in rollout.batches:
        count = max(1, share(size, len(hosts)))
        batch, rest = rest[:count], rest[count:]
        if batch:
            cut.append(batch)
    return [*cut, rest] if rest else cut


def apply_fleet(
    options: Options, shown: Shown, rollout: Rollout, names: Sequence[str], run: str = ""
) -> Iterator[HostResult]:
    """Streams results batch by batch. Hosts of batches that are not started are `refused`, with the reason.

    `run`: id of the run in the state log; the hosts keep what they had before it under this name.
    """
    bad = 0
    allowed = share(rollout.max_failures, len(names))
    for number, batch in enumerate(batches(names, rollout), start=1):
        if number > 1 and bad > allowed:
            hosts = "1 host" if bad == 1 else f"{bad} hosts"
            why = f"not started: {hosts} failed before and rollout.max_failures is {rollout.max_failures}"
            for name in batch:
                yield HostResult(host=name, verdict="refused", summary=why, error=why)
            continue
        for result in _one_batch(options, shown, batch, run):
            bad += result.verdict in ("failed", "unknown")
            yield result


def _one_batch(options: Options, shown: Shown, batch: Sequence[str], run: str) -> Iterator[HostResult]:
    state, hosts = open_state(options, only=batch)
    state.set_stage(StateStage.Connect)
    missed = _connect_all(state, hosts)
    for host in hosts:
        cell_of(host).shown = dict(shown.get(host.name, {}))
        cell_of(host).run = run
    try:
        if len(missed) < len(hosts):
            _run(state)
    except KeyboardInterrupt:
        state.pool.kill(timeout=2)  # before the connections are closed under them: no false sentences
        raise
    finally:
        for host in hosts:
            disconnect(host)
    for host in hosts:
        yield unreached(host.name, missed[host.name]) if host.name in missed else _result(host)


def _connect_all(state: State, hosts: Sequence[Host]) -> dict[str, str]:
    reasons = list(state.pool.imap(connect, hosts))
    for host, reason in zip(hosts, reasons, strict=True):
        if not reason:
            state.activate_host(host)
    return {host.name: reason for host, reason in zip(hosts, reasons, strict=True) if reason}


def _run(state: State) -> None:
    state.set_stage(StateStage.Prepare)
    add_deploy(state, gpu)
    state.set_stage(StateStage.Execute)
    try:
        run_ops(state)
    except PyinfraError as stopped:  # "No hosts remaining!": each host's own sentence says why
        log.debug("%s", stopped)


def _result(host: Host) -> HostResult:
    result = of_run(host)
    if result.verdict == "ok" and host in host.state.failed_hosts:
        return replace(result, verdict="failed", summary="failed (see the lines above)", error="failed")
    return result

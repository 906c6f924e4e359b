"""Prove a host's models: load what may be loaded, and look, in one round trip (design D4)."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import pyinfra_cli  # noqa: F401 - patches the standard library for gevent: before paramiko is imported
from pyinfra import context
from pyinfra.api.command import FunctionCommand

from ongpu.engine.answer import divide
from ongpu.engine.cell import Cell, cell_of, declare, spec_of
from ongpu.engine.converge import failure
from ongpu.engine.look import NOT_LOOKED_AT, read, remember, snapshot
from ongpu.engine.proving import first_turn, load_script, most_loaded, next_turn, testimony
from ongpu.engine.remote import run_script
from ongpu.engine.turns import Turn, gave_way
from ongpu.errors import Exit, OngpuError
from ongpu.host.model_name import full
from ongpu.host.result import Finding, ModelResult, Unknown
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.decode import script
from ongpu.proof.cuda import cuda_objection
from ongpu.proof.expected import missing_gpus
from ongpu.spec.model import HostSpec

if TYPE_CHECKING:
    from pyinfra.api.host import Host

log = logging.getLogger("pyinfra")
LOAD_SECONDS = 900  # a cold 70B model from a slow disk takes minutes


def prove_now(host: Host, load: bool) -> tuple[ModelResult, ...]:
    """Every declared model's verdict and the expected GPUs, kept in the host's cell. One exec; two to load on
    a host that was not yet looked at; one more for each further turn.

    Raises ConfigError when the host has no valid spec.
    """
    cell, spec = cell_of(host), spec_of(host)
    if spec.models:
        before = snapshot(host) if load else NOT_LOOKED_AT  # what may be evicted matters only to a load
        found = _turns(host, spec, before, load)
        cell.models = tuple(found[name] for name in spec.models)
    seen = snapshot(host)
    count = spec.expect.gpus
    proven = bool(spec.models) or _serves_nothing(spec)
    cell.gpus = missing_gpus(count, spec.expect.name, seen) or cuda_objection(count, seen, proven=proven)
    return cell.models


def _turns(host: Host, spec: HostSpec, before: HostSnapshot, load: bool) -> dict[str, ModelResult]:
    """By declared name. One exec for each turn."""
    found: dict[str, ModelResult] = {}
    turn: Turn | None = first_turn(spec)
    while turn:
        loading, looking = divide(run_script(host, load_script(spec, before, load, turn) + script(), LOAD_SECONDS))
        after = read(looking)
        remember(host, after)
        new = {result.name: result for result in testimony(turn.models, after, loading.text)}
        turn = next_turn(turn, spec, before, loading.text) if load else None
        if turn:
            most, count = most_loaded(before), len(spec.models)
            new = {n: gave_way(one, most, count) if full(n) in turn.ours else one for n, one in new.items()}
        found |= new
    return found


def _serves_nothing(spec: HostSpec) -> bool:
    """Where Ollama is to be gone, a CUDA that cannot be tried holds nobody up; one that fails is still told."""
    return spec.ollama.manage and spec.ollama.state == "absent"


def verify(load: bool = True, spec: Mapping[str, Any] | None = None) -> Generator[FunctionCommand, None, None]:
    """The proof as an operation's body: nothing in a dry run, "no changes" when all is proven, else one sentence."""
    host: Host = context.ctx_host.get()
    cell = cell_of(host)
    declare(host, spec)
    if host.current_op_hash:
        cell.ours.add(host.current_op_hash)
    if not context.state.is_executing:
        return
    try:
        results = prove_now(host, load)
        for result in results:
            if result.verdict == "verified":
                host.log_styled(result.summary, fg="green")
        if sentence := _objection(cell, results):
            yield failure(host, *sentence)
        elif not results:
            host.noop("no model is declared: nothing to prove")
    except OngpuError as error:
        yield failure(host, str(error), error.exit_code)
    except Exception as error:  # else one host's bug stops the fleet: pyinfra re-raises it for all
        log.debug("ongpu bug", exc_info=True)
        yield failure(host, f"proof: ongpu bug, please report: {error!r}", Exit.ERROR)


def _objection(cell: Cell, results: tuple[ModelResult, ...]) -> tuple[str, Exit] | None:
    bad = [result for result in results if result.verdict in ("not_verified", "disagreement")]
    unsure = [result for result in results if result.verdict == "unknown"]
    if isinstance(cell.gpus, Finding):
        return "; ".join([cell.gpus.summary, *(result.summary for result in bad)]), Exit.FINDINGS
    if bad:
        cell.broken = True
        return "; ".join(result.summary for result in bad), Exit.FINDINGS
    if unsure:
        return "; ".join(result.summary for result in unsure), Exit.UNKNOWN
    if isinstance(cell.gpus, Unknown):
        return f"{cell.gpus.what}: {cell.gpus.why}", Exit.UNKNOWN
    return None

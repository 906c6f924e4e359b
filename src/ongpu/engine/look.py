"""Look at a host: one probe per phase, kept until something may have changed (design D1, D3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ongpu.engine.answer import NOT_LOOKED_AT, PROBE_SECONDS, read
from ongpu.engine.cell import cell_of
from ongpu.engine.remote import run_script
from ongpu.host.snapshot import HostSnapshot
from ongpu.probe.decode import script

if TYPE_CHECKING:
    from pyinfra.api.host import Host

__all__ = ["NOT_LOOKED_AT", "PROBE_SECONDS", "forget", "read", "remember", "snapshot"]


def _age(host: Host) -> tuple[bool, int]:
    """Changes when the phase changes, and when an operation that is not ours was executed in between."""
    ours = cell_of(host).ours
    foreign = sum(
        op.operation_meta.executed for op_hash, op in host.state.ops.get(host, {}).items() if op_hash not in ours
    )
    return host.state.is_executing, foreign


def snapshot(host: Host) -> HostSnapshot:
    """The host as it is now, at the cost of at most one round trip; unreadable as a whole when it cannot be read."""
    cell = cell_of(host)
    age = _age(host)
    if cell.snapshot is not None and cell.age == age:
        return cell.snapshot
    fresh = read(run_script(host, script(), PROBE_SECONDS))
    remember(host, fresh)
    return fresh


def remember(host: Host, value: HostSnapshot) -> None:
    """Keep a snapshot that came with another script's answer (the proof looks in the same round trip)."""
    cell = cell_of(host)
    cell.snapshot, cell.age = value, _age(host)


def forget(host: Host) -> None:
    """After a command of ours: the next look is a fresh one."""
    cell_of(host).snapshot = None

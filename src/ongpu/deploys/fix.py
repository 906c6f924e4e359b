"""Repair what the rules find, where it interrupts nothing; with the host data key `ongpu_allow` also more."""

from __future__ import annotations

from pyinfra import context
from pyinfra.api.deploy import deploy

from ongpu.engine.cell import host_data
from ongpu.engine.safety import fleet_wide
from ongpu.operations.repair import repair


@deploy("ongpu fix")
def fix() -> None:
    """`ongpu_allow` is `restart` or `reboot`: the most that may be interrupted on that host."""
    allow = host_data(context.ctx_host.get(), "ongpu_allow")
    repair(
        name="repair what the rules find",
        allow=str(allow or ""),
        _parallel=fleet_wide(context.state).interrupted,
    )

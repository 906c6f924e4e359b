"""NVSwitch hosts: CUDA starts only after fabric manager has set up the fabric, in exactly the driver's version."""

from __future__ import annotations

from ongpu.host.platform import FabricManager
from ongpu.host.reading import value_or_none
from ongpu.plan.context import Context
from ongpu.plan.driver_state import DriverState, upstream

PACKAGE = "nvidia-fabricmanager"


def packages(context: Context) -> tuple[str, ...]:
    """What an NVSwitch host has beside the driver, in its version; nothing on others. NVLink 5 hosts are left to
    their vendor's stack (nvlsm, and ConnectX firmware)."""
    fabric = value_or_none(context.snapshot.fabric)
    switches = value_or_none(fabric.switches) if fabric else None
    return (PACKAGE,) if switches and context.spec.driver.source == "nvidia" else ()


def amiss(context: Context, state: DriverState) -> str:
    """What is wrong with fabric manager's package, in a few words; empty if nothing is, or none is needed."""
    if not packages(context):
        return ""
    package = state.packages.find(PACKAGE)
    if package is None:
        running = _manager(context)
        return "" if running else f"add {PACKAGE}"  # one by another package, as older branches name it
    version = upstream(package.version)
    return f"bring {PACKAGE} from {version} to {state.installed}" if version != state.installed else ""


def is_down(context: Context) -> bool:
    """Is it installed and needed, and does not run?"""
    manager = _manager(context) if packages(context) else None
    return manager is not None and manager.state not in ("active", "activating")


def _manager(context: Context) -> FabricManager | None:
    fabric = value_or_none(context.snapshot.fabric)
    return value_or_none(fabric.manager) if fabric else None

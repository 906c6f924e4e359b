"""NVIDIA's fabric manager, on hosts with NVSwitches: without it CUDA does not start (error 802)."""

from __future__ import annotations

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.plan.context import Context, Halt, Later, Resource, because, known
from ongpu.plan.driver_state import driver_state, needs_fabric_manager
from ongpu.plan.reload import initialise
from ongpu.plan.types import Change, Run

UNIT = "nvidia-fabricmanager.service"


def _changes(context: Context) -> list[Change]:
    if not needs_fabric_manager(context) or driver_state(context).adopted:
        return []
    context.wait_for("driver", "module")
    if context.pending("driver", "switch", "module"):
        raise Later("can only be started once the driver is there")
    match known(context.snapshot.fabric, "what NVSwitches there are").manager:
        case Known(value=manager) if manager.state == "active" and manager.enabled == "enabled":
            return []
        case Known(value=manager):
            summary = f"start {UNIT} ({manager.state}, {manager.enabled or 'not enabled'})"
        case Absent():
            raise Halt("unsupported", f"this host has NVSwitches, but {UNIT} is not installed")
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell whether {UNIT} runs: {because(blind)}")
    # One that runs is left alone, one that failed is started again. It has set the switches up when it is started.
    command = f"systemctl enable --quiet {UNIT} && {{ systemctl reset-failed {UNIT} || :; }} && systemctl start {UNIT}"
    start = Run(command=command, what=f"start {UNIT}", seconds=900)
    return [Change(resource="fabric", summary=summary, steps=(start, initialise(context)))]


RESOURCE = Resource(name="fabric", applies=lambda spec: spec.driver.manage, changes=_changes)

"""Another release instead of a driver that works: packages and kernel module are exchanged in one go.

A resource of its own, because it interrupts: only so many hosts at the same time do it, while drivers on hosts that
have none are installed everywhere at once. Between the old packages and the new module no CUDA program works, so
everything that uses the GPU is stopped before, and all of it happens in one script on the host.
"""

from __future__ import annotations

from ongpu.plan.context import Context, Resource
from ongpu.plan.driver_state import DriverState, driver_state, in_branch, replaces_a_working_driver
from ongpu.plan.effect import effect_of, order_reboot, require_effect
from ongpu.plan.policy import drained
from ongpu.plan.reload import at_boot, confirm, reload
from ongpu.plan.resources.driver import back, installation, wait_for_repository
from ongpu.plan.types import Change, Reboot, Step
from ongpu.spec.model import HostSpec


def _changes(context: Context) -> list[Change]:
    if context.earlier.of("driver").blocked:
        return []  # which says why
    state = driver_state(context)
    branch = context.spec.driver.branch
    if state.adopted or in_branch(state.installed, branch) or not replaces_a_working_driver(context, state):
        return []
    effect = effect_of(context, state)
    require_effect(context, effect, f"driver {state.loaded} -> {branch}")
    wait_for_repository(context, effect.interrupts)
    return [_switch(context, state, effect.reboot)]


def _switch(context: Context, state: DriverState, reboot: str) -> Change:
    summary, install = installation(context, state)
    modules = at_boot(context)
    steps: list[Step] = [modules.put] if modules else []
    if reboot:
        # From the installation until the reboot, new CUDA programs find libraries and a module that do not match.
        note = order_reboot(context, state, f"driver {summary} needs a reboot ({reboot})")
        steps += [note, *drained(context), install, Reboot(), confirm(context)]
        summary = f"{summary}, by a reboot: {reboot}"
    else:
        steps += [*drained(context), reload(context, f"replace the driver {summary}", install, back(state))]
        summary = f"{summary}, by a reload of the kernel module"
    interrupts = effect_of(context, state).interrupts
    return Change(resource="switch", summary=summary, steps=tuple(steps), interrupts=interrupts)


def _applies(spec: HostSpec) -> bool:
    return spec.driver.manage


RESOURCE = Resource(name="switch", applies=_applies, changes=_changes)

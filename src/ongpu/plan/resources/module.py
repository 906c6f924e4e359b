"""The kernel module: the one that belongs to the installed driver is loaded, now and at each boot."""

from __future__ import annotations

from ongpu.host.paths import MODULES_LOAD
from ongpu.host.reading import Known, value_or_none
from ongpu.plan import shell
from ongpu.plan.context import Context, Later, Resource
from ongpu.plan.driver_state import DriverState, driver_state, on_disk_version
from ongpu.plan.files import Written, written
from ongpu.plan.policy import drained, may_reboot, require_reboot
from ongpu.plan.render import render
from ongpu.plan.types import Change, Interrupts, Reboot, Run, Step


def _changes(context: Context) -> list[Change]:
    state = driver_state(context)
    if state.adopted:
        return []
    if not state.installed:
        context.wait_for("driver")
    if context.pending("driver") or not state.installed:
        raise Later("can only be known after the driver is installed", may_reboot(context))
    at_boot = written(context, MODULES_LOAD, render("modules-load.conf.j2"))
    steps: list[Step] = [at_boot.put] if at_boot else []
    if state.loaded and state.loaded != state.installed:
        return [
            _reboot(context, state, steps, at_boot, f"module {state.loaded} is loaded, {state.installed} installed")
        ]
    loaded = value_or_none(state.module.loaded)
    if loaded and loaded.flavour not in ("unknown", state.flavour) and context.spec.driver.modules != "auto":
        why = f"the {loaded.flavour} module is loaded, driver.modules is {state.flavour}"
        return [_reboot(context, state, steps, at_boot, why)]
    if not state.loaded and value_or_none(state.module.nouveau_loaded):
        return [_reboot(context, state, steps, at_boot, "nouveau holds the GPU")]
    if not state.loaded:
        steps.append(_load(state, uvm_only=False))
        summary = f"load the kernel module {state.installed}"
    elif isinstance(state.module.uvm_loaded, Known) and not state.module.uvm_loaded.value:
        steps.append(_load(state, uvm_only=True))
        summary = "load the kernel module nvidia-uvm"
    elif steps:
        summary = "load the kernel modules at boot"
    else:
        return []
    return [Change(resource="module", summary=summary, steps=tuple(steps), diff=at_boot.diff if at_boot else "")]


def _reboot(context: Context, state: DriverState, steps: list[Step], at_boot: Written | None, why: str) -> Change:
    require_reboot(context, f"{why}: this needs a reboot")
    if on_disk_version(state.module) not in ("", state.installed):
        build = 'dkms autoinstall -k "$(uname -r)"'
        steps.append(Run(command=build, what=f"build the kernel module {state.installed}", seconds=3600))
    return Change(
        resource="module",
        summary=f"reboot: {why}",
        steps=(*steps, *drained(context), Reboot()),
        diff=at_boot.diff if at_boot else "",
        interrupts=Interrupts.REBOOT,
    )


def _load(state: DriverState, *, uvm_only: bool) -> Run:
    what = "load the kernel module nvidia-uvm" if uvm_only else f"load the kernel module {state.installed}"
    return shell.run(what, "module", seconds=1800, UVM="yes" if uvm_only else "", VERSION=state.installed)


RESOURCE = Resource(name="module", applies=lambda spec: spec.driver.manage, changes=_changes)

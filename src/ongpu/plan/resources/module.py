"""The kernel module: the one that belongs to the installed driver is loaded, now and at each boot."""

from __future__ import annotations

from ongpu.host.paths import NOUVEAU_BLACKLIST
from ongpu.host.reading import Known, value_or_none
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt, Later, Resource
from ongpu.plan.driver_state import DriverState, driver_state, on_disk_version
from ongpu.plan.effect import effect_of, may_take_effect, order_reboot, require_effect, rival
from ongpu.plan.files import written
from ongpu.plan.next_kernel import build_for_next
from ongpu.plan.policy import drained
from ongpu.plan.reload import at_boot, confirm, initialised, is_unsettled, load, reload
from ongpu.plan.render import render
from ongpu.plan.secure_boot import require_loadable
from ongpu.plan.types import Change, Put, Reboot, Run, Step


def _changes(context: Context) -> list[Change]:
    state = driver_state(context)
    if state.adopted:
        return []
    if not state.installed:
        context.wait_for("driver", "switch")
    if context.pending("driver", "switch") or not state.installed:
        raise Later("can only be known after the driver is installed", may_take_effect(context, state))
    if why := _not_in_use(context, state):
        return [_take_effect(context, state, why)]
    return _loaded(context, state)


def _not_in_use(context: Context, state: DriverState) -> str:
    """Why the installed driver is not the one that drives the GPU, though another one may; empty if it is."""
    loaded = value_or_none(state.module.loaded)
    if loaded and loaded.version != state.installed:
        return f"module {loaded.version} is loaded, {state.installed} installed"
    if loaded and loaded.flavour not in ("unknown", state.flavour) and context.spec.driver.modules != "auto":
        return f"the {loaded.flavour} module is loaded, driver.modules is {state.flavour}"
    holder = "" if loaded else rival(context, state)
    return f"{holder} holds the GPU" if holder else ""


def _loaded(context: Context, state: DriverState) -> list[Change]:
    modules = at_boot(context)
    steps: list[Step] = [modules.put] if modules else []
    if not state.loaded:
        require_loadable(context, state)
        steps.append(load(state.installed))
        summary = f"load the kernel module {state.installed}"
    elif isinstance(state.module.uvm_loaded, Known) and not state.module.uvm_loaded.value:
        steps.append(load(state.installed, uvm_only=True))
        summary = "load the kernel module nvidia-uvm"
    elif steps:
        summary = "load the kernel modules at boot"
    else:
        summary = "confirm the driver, and start what an earlier run left stopped"
    if is_unsettled(context):
        steps.append(confirm(context))
    if any(isinstance(step, Run) for step in steps):
        steps += initialised(context)
    changes = [Change(resource="module", summary=summary, steps=tuple(steps), diff=modules.diff if modules else "")]
    return [*(changes if steps else []), *_for_next_kernel(context, state, tolerant=bool(steps))]


def _for_next_kernel(context: Context, state: DriverState, *, tolerant: bool) -> list[Change]:
    """`tolerant`: a host is not kept from its GPU of today by its kernel of tomorrow; the look after the change says
    what is wrong with that one."""
    try:
        build = build_for_next(context, state)
    except Halt:
        if tolerant:
            return []
        raise
    return [Change(resource="module", summary=build.what, steps=(build,))] if build else []


def _take_effect(context: Context, state: DriverState, why: str) -> Change:
    effect = effect_of(context, state)
    modules = at_boot(context)
    steps: list[Step] = [modules.put] if modules else []
    diff = modules.diff if modules else ""
    require_loadable(context, state)
    if effect.reboot:
        require_effect(context, effect, why)
        build = build_for_next(context, state)
        blacklist, more = _without_nouveau(context, state)
        note = order_reboot(context, state, why)
        steps += [
            *blacklist,
            *_built(state),
            *([build] if build else []),
            note,
            *drained(context),
            Reboot(),
            confirm(context),
            *initialised(context),
        ]
        summary, diff = f"reboot: {_both(why, effect.reboot)}", diff + more
    else:
        require_effect(context, effect, why)
        what = f"exchange the loaded kernel module {state.loaded} for {state.installed}"
        exchange = reload(context, what, version=state.installed)
        steps += [*_built(state), *drained(context), exchange, *initialised(context)]
        summary = f"reload the kernel module: {why}"
    return Change(resource="module", summary=summary, steps=tuple(steps), diff=diff, interrupts=effect.interrupts)


def _both(why: str, reboot: str) -> str:
    return why if reboot in why else f"{why}, and {reboot}"


def _without_nouveau(context: Context, state: DriverState) -> tuple[list[Put | Run], str]:
    """A blacklist of ours, also in the initramfs, where nouveau may be loaded before the root file system is there."""
    if not rival(context, state):
        return [], ""
    file = written(context, NOUVEAU_BLACKLIST, render("nouveau-blacklist.conf.j2"))
    rebuild = shell.run("put the blacklist of nouveau into the initramfs", "initramfs", seconds=1800)
    return [*([file.put] if file else []), rebuild], file.diff if file else ""


def _built(state: DriverState) -> list[Run]:
    if on_disk_version(state.module) in ("", state.installed):
        return []
    build = 'dkms autoinstall -k "$(uname -r)"'
    return [Run(command=build, what=f"build the kernel module {state.installed}", seconds=3600)]


RESOURCE = Resource(name="module", applies=lambda spec: spec.driver.manage, changes=_changes)

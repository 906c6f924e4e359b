"""Another release instead of a driver that works: packages and kernel module are exchanged in one go.

A resource of its own, because it interrupts: only so many hosts at the same time do it, while drivers on hosts that
have none are installed everywhere at once. Between the old packages and the new module no CUDA program works, so
everything that uses the GPU is stopped before, and all of it happens in one script on the host.
"""

from __future__ import annotations

from ongpu.host.paths import SWITCH_FAILED
from ongpu.plan.context import Context, Halt, Resource
from ongpu.plan.driver_state import DriverState, driver_state, in_branch, replaces_a_working_driver
from ongpu.plan.effect import Effect, effect_of, noted, order_reboot, require_effect
from ongpu.plan.next_kernel import build_of
from ongpu.plan.policy import drained
from ongpu.plan.reload import Exchange, at_boot, confirm, initialised, reload, staged
from ongpu.plan.resources.driver import back, installation, wait_for_repository
from ongpu.plan.secure_boot import require_key
from ongpu.plan.types import Change, Reboot, Run, Step
from ongpu.spec.model import HostSpec


def _changes(context: Context) -> list[Change]:
    if context.earlier.of("driver").blocked:
        return []  # which says why
    state = driver_state(context)
    branch = context.spec.driver.branch
    if state.adopted or in_branch(state.installed, branch) or not replaces_a_working_driver(context, state):
        return []
    _require_untried(context, state)
    effect = effect_of(context, state)
    require_effect(context, effect, f"driver {state.loaded} -> {branch}")
    wait_for_repository(context, effect.interrupts)
    return _changes_of(context, state, effect)


def _exchange(context: Context, state: DriverState, install: Run) -> Exchange:
    branch = context.spec.driver.branch
    return Exchange(
        to=branch,
        install=install,
        build=build_of(context, branch),
        back=back(state),
        rebuild=build_of(context, state.installed),
    )


def _require_untried(context: Context, state: DriverState) -> None:
    """Raises Halt("unsupported") for a driver that was tried on this host and did not run: each further try would
    interrupt the service for nothing."""
    failed = noted(context, SWITCH_FAILED)
    if failed.get("to") == context.spec.driver.branch:
        raise Halt(
            "unsupported",
            f"driver {state.loaded} -> {failed['to']} was tried and does not run here: {failed.get('why', '')}. The "
            f"previous driver runs. Declare another branch, or mend it and remove {SWITCH_FAILED} for another try",
        )


def _changes_of(context: Context, state: DriverState, effect: Effect) -> list[Change]:
    """The packages come first, as a change of their own: where they do not, nothing has been interrupted."""
    require_key(context, state)
    summary, what = installation(context, state)
    fetch = state.distribution.fetch(what)
    fetched = [Change(resource="switch", summary=fetch.what, steps=(fetch,))] if fetch else []
    return [*fetched, _switch(context, state, effect, summary, state.distribution.install(what))]


def _switch(context: Context, state: DriverState, effect: Effect, summary: str, install: Run) -> Change:
    exchange = _exchange(context, state, install)
    modules = at_boot(context)
    steps: list[Step] = [modules.put] if modules else []
    if effect.reboot:
        # From the installation until the reboot, new CUDA programs find libraries and a module that do not match.
        note = order_reboot(context, state, f"driver {summary} needs a reboot ({effect.reboot})")
        stage = staged(f"install the driver {summary}", exchange)
        steps += [note, *drained(context), stage, Reboot(), confirm(context), *initialised(context)]
        summary = f"{summary}, by a reboot: {effect.reboot}"
    else:
        steps += [*drained(context), reload(context, f"replace the driver {summary}", exchange), *initialised(context)]
        summary = f"{summary}, by a reload of the kernel module"
    return Change(resource="switch", summary=summary, steps=tuple(steps), interrupts=effect.interrupts)


def _applies(spec: HostSpec) -> bool:
    return spec.driver.manage


RESOURCE = Resource(name="switch", applies=_applies, changes=_changes)

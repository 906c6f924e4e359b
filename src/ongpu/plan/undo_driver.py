"""The driver's packages of a run that is taken back: the versions and holds from before it, by the way by which any
driver takes effect (plan/effect.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ongpu.plan.context import Context, Halt, known
from ongpu.plan.distributions import Distribution, Install, Restore, distribution_of
from ongpu.plan.driver_state import DriverState, driver_state, upstream
from ongpu.plan.effect import Effect, effect_of, require_effect
from ongpu.plan.gate import system_of
from ongpu.plan.next_kernel import build_of
from ongpu.plan.policy import drained, driver_works
from ongpu.plan.reload import Exchange, confirm, initialised, reload
from ongpu.plan.resources.driver import back
from ongpu.plan.types import Change, Interrupts, Reboot, Run, Step

Versions = Mapping[str, tuple[str, bool]]  # name -> version, held


def packages_back(context: Context, changed: Mapping[str, str], before: Versions, now: Versions) -> list[Change]:
    """`changed`: name -> version before the run, empty for a package that it brought. Raises Halt."""
    if not changed:
        return []
    manager = known(context.snapshot.packages, "which packages are installed").manager
    if manager == "rpm":
        raise Halt("unsupported", "the driver's packages cannot be put back: this host has neither dnf nor zypper")
    state, unclear = _state(context)
    restored = _restored(changed, before, now)
    distribution = state.distribution if state else distribution_of(system_of(context))
    step = _step(distribution, state, restored, unclear)
    summary = _summary(restored)
    if not restored.exact or not driver_works(context):
        return [Change(resource="driver", summary=summary, steps=(step,))]
    effect = effect_of(context, state) if state else Effect(reboot=unclear)
    require_effect(context, effect, "putting the driver's packages back")
    steps: tuple[Step, ...]
    if effect.reboot or state is None:
        steps = (*drained(context), step, Reboot(), confirm(context), *initialised(context))
        return [Change(resource="driver", summary=summary, steps=steps, interrupts=Interrupts.REBOOT)]
    exchange = Exchange(
        to=_version(restored),
        install=step,
        build=build_of(context, _version(restored)),
        back=back(state),
        rebuild=build_of(context, state.installed),
    )
    steps = (*drained(context), reload(context, step.what, exchange), *initialised(context))
    summary = f"{summary}, by a reload of the kernel module"
    return [Change(resource="driver", summary=summary, steps=steps, interrupts=Interrupts.RESTART)]


def _state(context: Context) -> tuple[DriverState | None, str]:
    """None and why, where what is declared now says nothing about this host's driver."""
    try:
        return driver_state(context), ""
    except Halt as halt:
        return None, halt.why


def _restored(changed: Mapping[str, str], before: Versions, now: Versions) -> Restore:
    moved = {name: version for name, version in changed.items() if now.get(name, ("", False))[0] != version}
    held = {name for name, (_, is_held) in before.items() if is_held}
    return Restore(
        exact={name: version for name, version in moved.items() if version},
        remove=[name for name, version in moved.items() if not version],
        hold=sorted(held & changed.keys()),
        unhold=sorted(name for name in changed if name in now and now[name][1] and name not in held),
    )


def _version(restored: Restore) -> str:
    """The driver's own."""
    return max(upstream(version) for version in restored.exact.values())


def _step(distribution: Distribution, state: DriverState | None, restored: Restore, unclear: str) -> Run:
    what = "put the driver's packages back"
    if (step := distribution.restore(restored, what)) is not None:
        return step
    if state is None:
        raise Halt("unsupported", f"the driver's packages cannot be put back: {unclear}")
    version = _version(restored)
    install = Install(
        wanted=replace(state.wanted, branch=version),
        exact=dict(restored.exact),
        version=version,
        old={},
        broken=(),
        hold=bool(restored.hold),
        remove=restored.remove,
    )
    return replace(distribution.install(install), what=what)


def _summary(restored: Restore) -> str:
    back_again = ", ".join(f"{name} {version}" for name, version in restored.exact.items())
    if len(restored.exact) > 1 and len({upstream(version) for version in restored.exact.values()}) == 1:
        back_again = f"{len(restored.exact)} of driver {_version(restored)}"
    words = [
        f"{back_again} back" if back_again else "",
        f"{', '.join(restored.remove)} removed" if restored.remove else "",
    ]
    return f"driver packages: {'; '.join(word for word in words if word) or 'holds as they were'}"

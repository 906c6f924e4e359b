"""The driver's packages: the declared branch, complete, sound, held as one set."""

from __future__ import annotations

from ongpu.plan.choice import remarks
from ongpu.plan.context import Context, Later, Resource, known
from ongpu.plan.distributions import Install
from ongpu.plan.driver_state import DriverState, driver_state, in_branch, replaces_a_working_driver, upstream
from ongpu.plan.policy import drained, may_reboot, require_reboot
from ongpu.plan.types import Change, Interrupts, Step


def _changes(context: Context) -> list[Change]:
    state = driver_state(context)
    if state.adopted:
        return []
    if in_branch(state.installed, context.spec.driver.branch):
        return _kept(context, state)
    context.wait_for("repository")
    if context.pending("repository"):
        if replaces_a_working_driver(context, state):
            require_reboot(context, f"driver {state.loaded} -> {context.spec.driver.branch} needs a reboot")
        may = may_reboot(context) if replaces_a_working_driver(context, state) else Interrupts.NONE
        raise Later("can only be known once the package repository is there", may)
    return [_install(context, state)]


def _kept(context: Context, state: DriverState) -> list[Change]:
    """The right version: is it whole, and held?"""
    if unsound := [package for package in state.stack if not package.is_sound]:
        names = ", ".join(f"{package.name} ({package.status})" for package in unsound)
        what = Install(
            exact={name: _present(state, name) for name in state.required},
            version=state.installed,
            old={},
            broken=[package.name for package in unsound],
            hold=context.spec.driver.hold,
        )
        steps = (state.distribution.install(what),)
        return [Change(resource="driver", summary=f"finish the half-installed {names}", steps=steps)]
    loose = [package.name for package in state.stack if not package.held]
    if context.spec.driver.hold and loose:
        summary = f"hold {len(loose)} driver packages at {state.installed}: {', '.join(loose)}"
        return [Change(resource="driver", summary=summary, steps=(state.distribution.hold(loose),))]
    return []


def _install(context: Context, state: DriverState) -> Change:
    branch = context.spec.driver.branch
    exact = {name: _wanted(state, name, branch) for name in state.required}
    present = {package.name: package.version for package in state.stack}
    # What is installed of the old release moves along, else apt would have to break it.
    movable = [name for name in present if upstream(_candidate(state, name)) and name not in state.replaced]
    along = {name: _wanted(state, name, branch) for name in movable}
    version = upstream(exact[state.required[-1]]) or branch
    before = upstream(next(iter(present.values()), "")) or state.loaded
    summary = f"{before} -> {version}" if before else f"install {version} ({', '.join(state.required)})"
    if before == version and set(state.replaced) & set(present):
        summary = f"{version} with the {state.flavour} kernel module ({state.required[-1]})"
    if taken := remarks(known(context.snapshot.pci, "which GPUs there are", absent=())):
        summary += f"; {'; '.join(taken)}"
    steps: list[Step] = []
    interrupts = Interrupts.NONE
    if replaces_a_working_driver(context, state):
        # From here until the reboot new CUDA programs find libraries and a module that do not match.
        require_reboot(context, f"driver {summary} needs a reboot")
        steps += drained(context)
        interrupts = Interrupts.REBOOT
    install = Install(
        exact=along | exact,
        version=version,
        old=present if all(package.is_sound for package in state.stack) else {},
        broken=state.packages.broken,
        hold=context.spec.driver.hold,
        remove=sorted(set(state.replaced) & set(present)),
    )
    steps.append(state.distribution.install(install))
    return Change(resource="driver", summary=summary, steps=tuple(steps), interrupts=interrupts)


def _candidate(state: DriverState, name: str) -> str:
    return state.packages.candidates.get(name, "")


def _wanted(state: DriverState, name: str, branch: str) -> str:
    """The candidate where it is in the branch; else (a newer one is installed) a pattern that apt resolves."""
    candidate = _candidate(state, name)
    return candidate if in_branch(upstream(candidate), branch) else f"{branch}*" if "." in branch else f"{branch}.*"


def _present(state: DriverState, name: str) -> str:
    package = state.packages.find(name)
    return package.version if package else ""


RESOURCE = Resource(name="driver", applies=lambda spec: spec.driver.manage, changes=_changes)

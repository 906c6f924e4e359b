"""The driver's packages: the declared branch, complete, sound, held as one set."""

from __future__ import annotations

from ongpu.plan.choice import remarks
from ongpu.plan.context import Context, Halt, Later, Resource, known
from ongpu.plan.distributions import Install
from ongpu.plan.driver_state import DriverState, branch_in, driver_state, in_branch, replaces_a_working_driver, upstream
from ongpu.plan.types import Change, Interrupts, Run


def _changes(context: Context) -> list[Change]:
    state = driver_state(context)
    if state.adopted:
        return []
    if in_branch(state.installed, context.spec.driver.branch):
        return _kept(context, state)
    if replaces_a_working_driver(context, state):
        return []  # the switch is planned by itself, because it interrupts
    wait_for_repository(context)
    summary, what = installation(context, state)
    return [Change(resource="driver", summary=summary, steps=(state.distribution.install(what),))]


def wait_for_repository(context: Context, may_interrupt: Interrupts = Interrupts.NONE) -> None:
    """Raises Later where the packages can be chosen only after the repository is there."""
    context.wait_for("repository")
    if context.pending("repository"):
        raise Later("can only be known once the package repository is there", may_interrupt)


def _kept(context: Context, state: DriverState) -> list[Change]:
    """The right version: is it whole, and held?"""
    unsound = [package for package in state.stack if not package.is_sound]
    missing = [name for name in state.also if not state.has(name)]
    missing += [name for name in state.companions if upstream(_present(state, name)) != state.installed]
    if unsound or missing:
        what = Install(
            wanted=state.wanted,
            also=state.also,
            exact={name: _at(state, name) for name in state.companions}
            | {name: _present(state, name) for name in state.required},
            version=state.installed,
            old={},
            broken=[package.name for package in unsound],
            hold=context.spec.driver.hold,
        )
        names = ", ".join(f"{package.name} ({package.status})" for package in unsound)
        words = [
            f"finish the half-installed {names}" if unsound else "",
            f"add {', '.join(missing)}" if missing else "",
        ]
        steps = (state.distribution.install(what),)
        return [Change(resource="driver", summary=" and ".join(word for word in words if word), steps=steps)]
    loose = [package.name for package in state.stack if not package.held]
    if context.spec.driver.hold and loose:
        summary = f"hold {len(loose)} driver packages at {state.installed}: {', '.join(loose)}"
        return [Change(resource="driver", summary=summary, steps=(state.distribution.hold(loose),))]
    return []


def installation(context: Context, state: DriverState) -> tuple[str, Install]:
    """In a few words, and what to install: the declared branch as one set, in one transaction."""
    branch = context.spec.driver.branch
    exact = {name: _wanted(state, name, branch) for name in (*state.companions, *state.required)}
    present = {package.name: package.version for package in state.stack}
    # What is installed of the old release moves along, else apt would have to break it.
    marks = {"", branch.split(".")[0], *(branch_in(name) for name in state.required)}
    movable = [
        name
        for name in present
        if upstream(_candidate(state, name))
        and name not in state.replaced
        and branch_in(name) in marks  # the others are replaced by those of this branch
    ]
    along = {name: _wanted(state, name, branch) for name in movable}
    if len({upstream(version) for version in exact.values()} - {""}) > 1:
        said = ", ".join(f"{name} {version}" for name, version in exact.items())
        raise Halt(
            "unsupported",
            f"the package sources offer versions that do not fit together ({said}): declare an exact version",
        )
    version = upstream(exact[state.required[-1]]) or branch
    before = upstream(next(iter(present.values()), "")) or state.loaded
    summary = f"{before} -> {version}" if before else f"install {version} ({', '.join(state.required)})"
    if before == version and set(state.replaced) & set(present):
        summary = f"{version} with the {state.flavour} kernel module ({state.required[-1]})"
    if taken := remarks(known(context.snapshot.pci, "which GPUs there are", absent=())):
        summary += f"; {'; '.join(taken)}"
    install = Install(
        wanted=state.wanted,
        also=state.also,
        exact=along | exact,
        version=version,
        old=present if all(package.is_sound for package in state.stack) else {},
        broken=state.packages.broken,
        hold=context.spec.driver.hold,
        remove=sorted(set(state.replaced) & set(present)),
        uninstaller=state.uninstaller,
    )
    if state.uninstaller:
        summary += "; the one by NVIDIA's .run installer is removed first, and cannot be put back"
    return summary, install


def back(state: DriverState) -> Run | None:
    """The step that puts the present release back; None where it is not whole."""
    present = {package.name: package.version for package in state.stack}
    if not state.installed or not all(package.is_sound for package in state.stack):
        return None
    added = sorted({*state.required, *state.also} - set(present))
    what = Install(
        wanted=state.wanted, exact=present, version=state.installed, old={}, broken=(), hold=True, remove=added
    )
    return state.distribution.install(what)


def _candidate(state: DriverState, name: str) -> str:
    return state.packages.candidates.get(name, "")


def _wanted(state: DriverState, name: str, branch: str) -> str:
    """The candidate where it is in the branch; else (a newer one is installed) a pattern that apt resolves."""
    candidate = _candidate(state, name)
    return candidate if in_branch(upstream(candidate), branch) else f"{branch}*" if "." in branch else f"{branch}.*"


def _at(state: DriverState, name: str) -> str:
    """In the version of the installed driver."""
    candidate = _candidate(state, name)
    return candidate if upstream(candidate) == state.installed else f"{state.installed}*"


def _present(state: DriverState, name: str) -> str:
    package = state.packages.find(name)
    return package.version if package else ""


RESOURCE = Resource(name="driver", applies=lambda spec: spec.driver.manage, changes=_changes)

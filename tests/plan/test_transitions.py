"""On every distribution, from every driver that works to every other one: no plan takes a driver away without saying so
first, without a way back, or under a service that was not drained."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from functools import cache

import pytest

from ongpu.host.reading import Known
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import Package
from ongpu.plan.build import plan
from ongpu.plan.choice import Choice
from ongpu.plan.context import Halt
from ongpu.plan.distributions import PackageSet, Wanted, distribution_of
from ongpu.plan.driver_state import in_branch
from ongpu.plan.types import Drain, Interrupts, Limits, Now, Plan, Run
from ongpu.spec.model import HostSpec
from tests.plan.builders import TUESDAY, configured_host
from tests.plan.choice.cards import gpus
from tests.plan.golden.cases import PLANS, Case
from tests.plan.golden.record import second_look
from tests.plan.world import World

FLAVOURS: tuple[Choice, Choice] = ("open", "proprietary")


def transitions() -> Iterator[tuple[str, str, Choice]]:
    """Which plan, the driver that is there, its module flavour."""
    for name, case in PLANS.items():
        declared = str(case.driver.get("branch", "580"))
        for there in case.offered():
            for flavour in FLAVOURS:
                if _packages(name, there, flavour) and (not in_branch(there, declared) or "modules" in case.driver):
                    yield name, there, flavour


@cache
def _serving() -> World:
    return configured_host()


@cache
def _look(name: str) -> tuple[HostSpec, HostSnapshot]:
    return second_look(PLANS[name])


def _packages(name: str, version: str, flavour: Choice) -> PackageSet | None:
    """None: that driver is not to be had there."""
    case = PLANS[name]
    _, snapshot = _look(name)
    assert isinstance(snapshot.system, Known)
    assert isinstance(snapshot.packages, Known)
    wanted = Wanted(
        system=snapshot.system.value,
        packages=snapshot.packages.value,
        source=case.driver.get("source", "nvidia"),
        branch=version.split(".")[0],
        flavour=flavour,
    )
    try:
        return distribution_of(wanted.system).driver_packages(wanted)
    except Halt:
        return None


def _host(name: str, there: str, flavour: Choice) -> tuple[HostSpec, HostSnapshot]:
    case = PLANS[name]
    declared, blank = _look(name)
    assert isinstance(blank.packages, Known)
    found = _packages(name, there, flavour)
    assert found
    installed = tuple(
        Package(name=name, version=case.package_version(there).rpartition(":")[2], status="ii", held=True)
        for name in (*found.required, *found.also, "nvidia-persistenced")
    )
    world = copy.deepcopy(_serving())
    world.loaded, world.uvm, world.arch, world.gpus = there, True, case.arch, gpus(*case.gpus)
    world.packages = {package.name: package for package in installed}
    works = world.snapshot()
    packages = dataclasses.replace(blank.packages.value, installed=installed)
    host = dataclasses.replace(works, system=blank.system, files=blank.files, packages=Known(packages, "test"))
    return declared.model_copy(update={"driver": declared.driver.model_copy(update={"reboot": "window"})}), host


@pytest.mark.parametrize(("name", "there", "flavour"), list(transitions()))
def test_no_driver_goes_without_a_word_and_a_way_back(name: str, there: str, flavour: Choice) -> None:
    case = PLANS[name]
    declared, host = _host(name, there, flavour)
    todo = plan(declared, host, Now(TUESDAY), Limits())
    assert not todo.of("driver").changes, "a driver that works is exchanged by the switch, which interrupts"
    _says_what_goes(case, there, todo)
    for change in todo.changes:
        for step in change.steps:
            assert not (isinstance(step, Run) and change.resource != "switch" and _takes_packages(step)), step.what
    never = declared.model_copy(update={"driver": declared.driver.model_copy(update={"reboot": "never"})})
    refused = plan(never, host, Now(TUESDAY), Limits(allow_restart=False))
    assert refused.interrupts is Interrupts.NONE
    assert not [step for change in refused.changes for step in change.steps if _takes_packages(step)]


def _says_what_goes(case: Case, there: str, todo: Plan) -> None:
    part = todo.of("switch")
    if not part.changes:
        assert case.driver.get("branch") in ("auto", there.split(".")[0]), "there is nothing to exchange"
        return
    *fetched, exchange = part.changes
    assert all(change.interrupts is Interrupts.NONE for change in fetched)
    assert exchange.interrupts in (Interrupts.RESTART, Interrupts.REBOOT)
    assert there in exchange.summary, exchange.summary
    kinds = [type(step) for step in exchange.steps]
    script = next(step.stdin or "" for step in exchange.steps if isinstance(step, Run) and _takes_packages(step))
    assert Drain in kinds, "what is served comes to its end first"
    assert kinds.index(Drain) < next(
        n for n, s in enumerate(exchange.steps) if isinstance(s, Run) and _takes_packages(s)
    )
    assert case.package_version(there).rpartition(":")[2] in script, "the way back"


def _takes_packages(step: object) -> bool:
    """Does this step exchange or remove packages of the driver?"""
    script = (step.stdin or step.command) if isinstance(step, Run) else ""
    return "\nINSTALL=" in script and "ONLY=fetch" not in script

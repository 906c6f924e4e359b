"""Hosts with NVSwitches: fabric manager comes with the driver, in its version, and runs."""

from __future__ import annotations

import dataclasses

import pytest

from ongpu.host.platform import Fabric, FabricManager
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.plan.context import Halt
from ongpu.plan.distributions import PackageSet, Wanted, distribution_of
from ongpu.plan.types import Run
from tests.plan.builders import blank_host, configured_host, planned
from tests.plan.distributions.test_distributions import system
from tests.plan.world import World

RUNS = Known(FabricManager(version=Known("580.95.05", "x"), state="active", enabled="enabled", result="success"), "x")
STOPPED = Known(FabricManager(version=Known("580.95.05", "x"), state="failed", enabled="disabled", result="x"), "x")
NONE: Absent = Absent("there is no nvidia-fabricmanager.service")


def fabric(
    manager: Reading[FabricManager], switches: Reading[tuple[str, ...]] | None = None
) -> dict[str, Known[Fabric]]:
    """A section for World.blind."""
    found = Fabric(
        switches=switches or Known(("0000:05:00.0",), "x"),
        managed_by_nic=Known(False, "x"),
        manager=manager,
        persistenced=NONE,
    )
    return {"fabric": Known(found, "x")}


def packages(os_id: str, version: str, branch: str = "580", source: str = "nvidia") -> PackageSet:
    host = system(os_id, version)
    blank = World().snapshot().packages.value  # type: ignore[union-attr]
    wanted = Wanted(system=host, packages=blank, source=source, branch=branch, flavour="open", fabric=True)  # type: ignore[arg-type]
    return distribution_of(host).driver_packages(wanted)


@pytest.mark.parametrize(
    ("os_id", "version", "branch", "source", "name"),
    [
        ("debian", "12", "580", "nvidia", "nvidia-fabricmanager-580"),
        ("debian", "12", "595", "nvidia", "nvidia-fabricmanager"),
        ("ubuntu", "24.04", "580.95.05", "nvidia", "nvidia-fabricmanager-580"),
        ("ubuntu", "24.04", "595", "distro", "nvidia-fabricmanager-595"),
        ("rocky", "9.6", "580", "nvidia", "nvidia-fabricmanager"),
        ("sles", "15.6", "580", "nvidia", "nvidia-fabricmanager"),
    ],
)
def test_its_package_is_one_of_the_set(os_id: str, version: str, branch: str, source: str, name: str) -> None:
    found = packages(os_id, version, branch, source)
    assert found.companions == (name,)
    assert name not in found.required


def test_debians_archive_has_none() -> None:
    with pytest.raises(Halt) as caught:
        packages("debian", "13", "550", "distro")
    assert "this host has NVSwitches" in caught.value.why


def test_a_name_without_the_branch_is_taken_where_it_is_offered() -> None:
    blank = World().snapshot().packages.value  # type: ignore[union-attr]
    offering = dataclasses.replace(blank, candidates={"nvidia-fabricmanager": "580.95.05-1"})
    host = system("debian", "12")
    wanted = Wanted(system=host, packages=offering, source="nvidia", branch="580", flavour="open", fabric=True)
    assert distribution_of(host).driver_packages(wanted).companions == ("nvidia-fabricmanager",)


def test_it_is_added_to_a_driver_that_is_there_without_touching_it() -> None:
    host = configured_host(blind=fabric(NONE))
    plan = planned(host)
    (change,) = plan.of("driver").changes
    assert change.summary == "add nvidia-fabricmanager-580"
    assert not change.interrupts
    (step,) = change.steps
    assert isinstance(step, Run)
    assert "nvidia-fabricmanager-580=580.95.05*" in (step.stdin or "")
    assert "nvidia-driver-cuda=580.95.05-1" in (step.stdin or "")
    assert plan.of("switch").empty
    assert plan.of("fabric").deferred


def test_an_ordinary_host_needs_none() -> None:
    assert planned(configured_host(blind=fabric(NONE, Known((), "x")))).empty


@pytest.mark.parametrize(
    ("manager", "summary"),
    [
        (RUNS, ""),
        (STOPPED, "start nvidia-fabricmanager.service (failed, disabled)"),
    ],
)
def test_one_that_does_not_run_is_started_and_enabled(manager: Reading[FabricManager], summary: str) -> None:
    host = configured_host()
    name = "nvidia-fabricmanager-580"
    host.packages[name] = dataclasses.replace(host.packages["nvidia-driver-cuda"], name=name)
    host.blind = fabric(manager)
    plan = planned(host)
    assert plan.of("driver").empty
    assert [change.summary for change in plan.of("fabric").changes] == ([summary] if summary else [])
    for change in plan.of("fabric").changes:
        step, init = change.steps
        assert isinstance(init, Run)
        assert init.what == "initialise CUDA as ollama"
        assert isinstance(step, Run)
        assert "systemctl enable --quiet nvidia-fabricmanager.service" in step.command


def test_whether_it_is_needed_must_be_known() -> None:
    host = blank_host(blind=fabric(NONE, Unreadable("no answer")))
    for resource in ("repository", "driver", "fabric"):
        (blocked,) = planned(host).of(resource).blocked
        assert blocked.kind == "unknown"
        assert "cannot tell whether this host needs fabric manager: no answer" in blocked.why

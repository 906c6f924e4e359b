from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ongpu.host import paths
from ongpu.host.gpu import PciGpu
from ongpu.host.platform import Platform
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.system import Package
from ongpu.plan.driver_state import in_branch, upstream
from ongpu.plan.types import Drain, Interrupts, Put, Reboot, Run
from tests.plan.builders import blank_host, configured_host, driver_by_hand, planned, spec
from tests.plan.runs import run
from tests.plan.world import RTX_4060, client, variables

OLD = spec(driver={"branch": "570"})
UPGRADE = spec(driver={"reboot": "window"})


def device(device_id: str) -> PciGpu:
    return dataclasses.replace(RTX_4060, device_id=device_id)


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("580.95.05-1", "580.95.05"),
        ("1:580.95.05-0ubuntu1", "580.95.05"),
        ("580.95.05", "580.95.05"),
        ("590-2.1", ""),
        ("12.4.1-1", ""),
        ("", ""),
    ],
)
def test_the_drivers_version_in_a_packages(package: str, version: str) -> None:
    assert upstream(package) == version


def test_a_branch_is_a_whole_number_not_a_beginning() -> None:
    assert in_branch("580.95.05", "580")
    assert in_branch("580.95.05", "580.95.05")
    assert not in_branch("580.95.05", "58")
    assert not in_branch("580.95.05", "580.95.0")
    assert not in_branch("", "580")


def test_with_the_lists_there_the_exact_version_is_shown() -> None:
    host = configured_host()
    host.packages.clear()
    host.loaded, host.uvm = "", False
    (change,) = planned(host).of("driver").changes
    assert change.summary == "install 580.95.05 (nvidia-driver-cuda, nvidia-kernel-open-dkms)"
    assert change.interrupts is Interrupts.NONE


def test_a_working_driver_is_replaced_by_a_reload_of_its_module() -> None:
    host = configured_host(OLD)
    (late,) = planned(host).of("switch").deferred
    assert late.may_interrupt is Interrupts.RESTART
    assert run(host, spec()) == ""
    assert (host.loaded, host.boots) == ("580.95.05", 1)


def test_a_client_that_is_not_ours_leaves_only_a_reboot() -> None:
    host = configured_host(OLD, clients=(client("trainer"),))
    (blocked,) = planned(host).of("switch").blocked
    assert blocked.kind == "refused"
    assert "this needs a reboot (trainer (pid 4711) uses the GPU and is not ongpu's to stop)" in blocked.why
    assert "driver.reboot is `bootstrap` while the present driver works" in blocked.why
    (late,) = planned(host, UPGRADE).of("switch").deferred
    assert late.may_interrupt is Interrupts.REBOOT
    assert run(host, UPGRADE) == ""
    assert (host.loaded, host.boots) == ("580.95.05", 2)


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"recovery": "Reboot"}, "GPU 0000:01:00.0 asks for a reboot"),
        ({"console": True}, "the host's console is on the GPU"),
    ],
)
def test_what_else_only_a_reboot_mends(attributes: dict[str, Any], why: str) -> None:
    (blocked,) = planned(configured_host(OLD, **attributes)).of("switch").blocked
    assert f"this needs a reboot ({why})" in blocked.why
    assert not planned(configured_host(OLD, recovery="Reset")).of("switch").blocked


def test_a_reload_that_fails_is_followed_by_a_reboot_only_where_one_is_allowed() -> None:
    host = configured_host(OLD, holds=True)
    assert run(host, spec()) == "killed"
    assert host.loaded == "570.195.03"
    assert host.process is not None
    (blocked,) = planned(host).of("switch").blocked
    assert "this needs a reboot (in use), and driver.reboot is `bootstrap`" in blocked.why
    assert run(host, UPGRADE) == ""
    assert (host.loaded, host.boots) == ("580.95.05", 2)
    assert paths.RELOAD_FAILED not in host.files


def test_a_driver_that_did_not_run_here_is_not_tried_in_each_run() -> None:
    host = configured_host(OLD, next_kernel="6.1.0-57-amd64", built_for_next="570.195.03", fails_for_next=True)
    assert run(host, spec()) == "killed"
    assert (host.loaded, host.process is not None) == ("570.195.03", True)
    (blocked,) = planned(host).of("switch").blocked
    assert blocked.why.startswith("driver 570.195.03 -> 580 was tried and does not run here: it does not build")
    assert planned(host).of("repository").empty
    assert run(host, OLD) == ""
    assert planned(host, OLD).empty


@pytest.mark.parametrize(("old", "new"), [("570", "580"), ("580", "570")])
def test_a_branch_is_switched_in_both_directions(old: str, new: str) -> None:
    host, declared = configured_host(spec(driver={"branch": old})), spec(driver={"branch": new})
    assert run(host, declared) == ""
    assert host.loaded.startswith(f"{new}.")
    assert planned(host, declared).empty


def test_the_other_flavour_goes_in_the_same_step_and_its_module_by_a_reboot() -> None:
    host = configured_host()
    other = spec(driver={"modules": "proprietary", "reboot": "window"})
    _, change = planned(host, other).of("switch").changes
    assert change.summary.startswith("580.95.05 with the proprietary kernel module (nvidia-kernel-dkms), by a reboot: ")
    assert [type(step) for step in change.steps] == [Put, Drain, Run, Reboot, Run, Run]
    install = change.steps[2]
    assert isinstance(install, Run)
    wanted = variables(variables(install.stdin or "")["INSTALL"])["INSTALL"].split()
    assert "nvidia-kernel-dkms=580.95.05-1" in wanted
    assert "nvidia-kernel-open-dkms-" in wanted
    assert not any(word.startswith("nvidia-kernel-open-dkms=") for word in wanted)


def test_the_replacement_waits_until_nothing_is_served() -> None:
    host = configured_host(OLD)
    for change in planned(host, UPGRADE).of("repository").changes:
        host.apply(change)
    fetch, change = planned(host, UPGRADE).of("switch").changes
    assert (fetch.summary, fetch.interrupts) == ("fetch the packages of the driver 580.95.05", Interrupts.NONE)
    assert change.summary == "570.195.03 -> 580.95.05, by a reload of the kernel module"
    assert [type(step) for step in change.steps] == [Drain, Run, Run]
    assert change.interrupts is Interrupts.RESTART


def test_one_that_came_by_hand_is_left_alone_or_refused() -> None:
    assert not planned(driver_by_hand("580.95.05")).of("driver").changes
    assert not planned(driver_by_hand("580.95.05")).of("repository").changes
    (blocked,) = planned(driver_by_hand("550.54.14")).of("driver").blocked
    assert "driver 550.54.14 is loaded but was not installed from NVIDIA's packages" in blocked.why
    assert "declare driver: {replace: true} to have it replaced" in blocked.why
    assert "`/usr/bin/nvidia-uninstall --silent`" in blocked.why


def test_one_that_came_by_hand_is_replaced_where_that_is_declared() -> None:
    host, declared = driver_by_hand("550.54.14"), spec(driver={"replace": True})
    (late,) = planned(host, declared).of("switch").deferred
    assert late.may_interrupt is Interrupts.RESTART
    for change in planned(host, declared).of("repository").changes:
        host.apply(change)
    _, change = planned(host, declared).of("switch").changes
    assert "the one by NVIDIA's .run installer is removed first, and cannot be put back" in change.summary
    assert run(host, declared) == ""
    assert (host.loaded, host.runfile) == ("580.95.05", False)


def test_a_mixture_of_both_is_refused_with_the_way_out() -> None:
    for declared in (spec(), spec(driver={"replace": True})):
        (blocked,) = planned(configured_host(runfile=True), declared).of("driver").blocked
        assert blocked.kind == "unsupported"
        assert "run `/usr/bin/nvidia-uninstall --silent`, then install the driver's packages again" in blocked.why


def test_half_installed_packages_are_finished() -> None:
    host = configured_host()
    host.packages["libcuda1"] = Package(name="libcuda1", version="580.95.05-1", status="iF", held=True)
    (change,) = planned(host).of("driver").changes
    assert change.summary == "finish the half-installed libcuda1 (iF)"
    assert run(host, spec()) == ""


def test_loose_packages_are_held_as_one_set() -> None:
    host = configured_host()
    name = "libcuda1"
    host.packages[name] = dataclasses.replace(host.packages[name], held=False, status="ii")
    (change,) = planned(host).of("driver").changes
    assert change.summary == "hold 1 driver packages at 580.95.05: libcuda1"
    assert isinstance(change.steps[0], Run)
    assert planned(host, spec(driver={"hold": False})).empty


@pytest.mark.parametrize(
    ("gpus", "driver", "says"),
    [
        ((), {}, "there is no NVIDIA GPU on the PCI bus"),
        ((device("0x0fc6"),), {}, "Kepler or older"),
        ((device("0x1b06"),), {"branch": "590"}, "last driven by branch 580, not 590"),
        ((device("0x1b06"),), {"modules": "open"}, "needs driver.modules: proprietary"),
        ((device("0x2b85"),), {"modules": "proprietary"}, "needs driver.modules: open"),
        ((device("0x1b06"), device("0x2b85")), {}, "no driver drives"),
        ((RTX_4060,), {"source": "distro"}, "Debian 12's archive has 535, not 580: declare branch: auto"),
    ],
)
def test_what_cannot_work_is_unsupported_with_the_reason(
    gpus: tuple[PciGpu, ...], driver: dict[str, str], says: str
) -> None:
    (blocked,) = planned(blank_host(gpus=gpus), spec(driver=driver)).of("repository").blocked
    assert blocked.kind == "unsupported"
    assert says in blocked.why


def test_gpus_before_turing_get_the_proprietary_module() -> None:
    host = blank_host(gpus=(device("0x1b06"),))
    for resource in ("repository", "driver"):
        for change in planned(host).of(resource).changes:
            host.apply(change)
    assert set(host.packages) >= {"nvidia-driver-cuda", "nvidia-kernel-dkms"}
    assert "nvidia-kernel-open-dkms" not in host.packages


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"virtualization": "wsl"}, "this is WSL"),
        ({"kernel": "5.15.148-tegra"}, "this is a Jetson"),
        ({"arch": "ppc64le"}, "no GPU release for ppc64le"),
    ],
)
def test_hosts_that_are_none_of_ours(attributes: dict[str, str], says: str) -> None:
    plan = planned(blank_host(**attributes))
    assert not plan.changes
    assert all(says in blocked.why for blocked in plan.blocked)


def test_manage_false_touches_nothing_of_the_driver() -> None:
    plan = planned(blank_host(), spec(driver={"manage": False}))
    assert {part.resource for part in (*plan.changes, *plan.deferred, *plan.blocked)} <= {
        "account", "ollama", "unit", "override", "restart", "models",
    }  # fmt: skip
    assert planned(blank_host(), spec(driver={"manage": False}, ollama={"manage": False})).empty


@pytest.mark.parametrize(
    ("sign", "says"),
    [
        ("jetson", "this is a Jetson (x): its driver belongs to JetPack"),
        ("wsl", "this is WSL (x)"),
        ("vgpu_guest", "this is a vGPU guest (x)"),
        ("immutable", "this system is changed only as a whole (x)"),
    ],
)
def test_a_driver_that_belongs_to_somebody_else_is_left_alone(sign: str, says: str) -> None:
    none = dict.fromkeys(("jetson", "wsl", "vgpu_guest", "immutable"), Absent("looked"))
    host = blank_host(blind={"platform": Known(Platform(**(none | {sign: Known("x", "test")})), "test")})
    for resource in ("repository", "driver"):
        (blocked,) = planned(host).of(resource).blocked
        assert blocked.kind == "unsupported"
        assert says in blocked.why
        assert "declare driver: {manage: false}" in blocked.why
    host.blind = {"platform": Known(Platform(**(none | {sign: Unreadable("no")})), "test")}
    assert planned(host).of("driver").blocked[0].kind == "unknown"
    host.blind = {"platform": Known(Platform(**none), "test")}
    assert planned(host).of("repository").changes

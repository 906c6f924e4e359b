from __future__ import annotations

from ongpu.host import paths
from ongpu.plan.types import Drain, Interrupts, Limits, Reboot
from tests.plan.builders import blank_host, configured_host, planned, spec
from tests.plan.runs import run
from tests.plan.test_convergence import CLOSED, OPEN


def test_a_module_that_is_not_loaded_is_loaded_without_a_reboot() -> None:
    host = configured_host()
    host.loaded, host.uvm = "", False
    (change,) = planned(host).of("module").changes
    assert (change.summary, change.interrupts) == ("load the kernel module 580.95.05", Interrupts.NONE)


def test_only_uvm_is_missing() -> None:
    host = configured_host()
    host.uvm = False
    (change,) = planned(host).of("module").changes
    assert change.summary == "load the kernel module nvidia-uvm"


def test_they_are_loaded_at_each_boot() -> None:
    host = configured_host()
    del host.files[paths.MODULES_LOAD]
    (change,) = planned(host).of("module").changes
    assert change.summary == "load the kernel modules at boot"
    assert run(host, spec()) == ""


def test_nouveau_needs_a_reboot_that_bootstrap_allows_and_never_does_not() -> None:
    host = blank_host(nouveau=True)
    assert "nouveau holds the GPU: this needs a reboot, and driver.reboot is `never`" in run(
        host, spec(driver={"reboot": "never"})
    )
    assert host.boots == 1
    assert run(host, spec()) == ""
    assert host.boots == 2


def test_a_reboot_waits_and_is_the_last_step() -> None:
    host = configured_host()
    host.loaded = "570.10"
    (change,) = planned(host).of("module").changes
    assert change.summary == "reboot: module 570.10 is loaded, 580.95.05 installed"
    assert [type(step) for step in change.steps[-2:]] == [Drain, Reboot]
    assert change.interrupts is Interrupts.REBOOT


def test_limits_and_windows_hold_for_reboots() -> None:
    host = configured_host()
    host.loaded = "570.10"
    (blocked,) = planned(host, limits=Limits(allow_reboot=False)).of("module").blocked
    assert blocked.why.endswith("this run may not reboot hosts")
    (blocked,) = planned(host, limits=Limits(allow_restart=False)).of("module").blocked
    assert blocked.why.endswith("this run may not restart services")
    for reboot in ("window", "bootstrap"):
        closed = spec(driver={"reboot": reboot}, service={"window": CLOSED})
        (blocked,) = planned(host, closed).of("module").blocked
        assert (blocked.kind, CLOSED in blocked.why) == ("refused", True)
        assert ") is closed until " in blocked.why
        open_now = spec(driver={"reboot": reboot}, service={"window": OPEN})
        assert planned(host, open_now).of("module").changes


def test_bootstrap_never_reboots_while_a_model_is_loaded() -> None:
    host = configured_host()
    host.loaded, host.resident = "570.10", ("llama3.1:8b",)
    (blocked,) = planned(host).of("module").blocked
    assert blocked.why.endswith("driver.reboot is `bootstrap` while llama3.1:8b is loaded")
    host.api_is_down = True
    (blocked,) = planned(host).of("module").blocked
    assert blocked.kind == "unknown"


def test_a_blank_host_is_rebooted_at_any_time_because_nothing_runs_there() -> None:
    assert run(blank_host(nouveau=True), spec(service={"window": CLOSED})) == ""

from __future__ import annotations

from typing import Any

from ongpu.host import paths
from ongpu.plan.types import Drain, Interrupts, Limits, Put, Reboot, Run
from tests.plan.builders import blank_host, configured_host, planned, spec
from tests.plan.runs import Cut, run
from tests.plan.test_convergence import CLOSED, OPEN

# Another module is loaded, and could not be unloaded in this boot.
FAILED: dict[str, Any] = {
    "loaded": "570.10",
    "files": {paths.RELOAD_FAILED: ("why: in use\nboot: boot-1\n", "0644")},
}


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


def test_another_module_is_reloaded_after_a_wait() -> None:
    host = configured_host(loaded="570.10")
    (change,) = planned(host).of("module").changes
    assert change.summary == "reload the kernel module: module 570.10 is loaded, 580.95.05 installed"
    assert [type(step) for step in change.steps] == [Drain, Run, Run]
    assert change.interrupts is Interrupts.RESTART
    assert run(host, spec()) == ""
    assert (host.loaded, host.boots) == ("580.95.05", 1)


def test_a_reboot_waits_and_is_confirmed() -> None:
    host = configured_host(**FAILED)
    (change,) = planned(host).of("module").changes
    assert change.summary == "reboot: module 570.10 is loaded, 580.95.05 installed, and in use"
    assert [type(step) for step in change.steps] == [Put, Drain, Reboot, Run, Run]
    assert [step.what for step in change.steps if isinstance(step, Run)] == [
        "confirm the driver",
        "initialise CUDA as ollama",
    ]
    assert change.interrupts is Interrupts.REBOOT
    assert run(host, spec()) == ""
    assert paths.REBOOTED not in host.files


def test_a_reload_that_failed_in_another_boot_is_tried_again() -> None:
    host = configured_host(**FAILED, boots=2)
    (change,) = planned(host).of("module").changes
    assert change.interrupts is Interrupts.RESTART


def test_a_reboot_that_did_not_help_is_not_repeated() -> None:
    host = blank_host(nouveau=True, stubborn=True)
    assert run(host, spec()) == "killed"
    assert host.boots == 2
    why = run(host, spec())
    assert why.startswith(
        "module: nouveau holds the GPU, and the reboot that was made for it did not change that: look"
    )
    assert run(host, spec()) == why
    assert host.boots == 2
    (blocked,) = planned(host).of("module").blocked
    assert blocked.kind == "unsupported"


def test_a_reboot_that_was_only_noted_is_made() -> None:
    host = blank_host(nouveau=True)
    for steps in range(1, 20):
        run(host, spec(), cut=Cut(steps))
        if paths.REBOOTED in host.files:
            break
    assert host.boots == 1
    assert run(host, spec()) == ""
    assert host.boots == 2


def test_nouveau_is_kept_off_at_the_next_boot_too() -> None:
    host = blank_host(nouveau=True)
    assert run(host, spec()) == ""
    assert "blacklist nouveau\n" in host.files[paths.NOUVEAU_BLACKLIST][0]
    assert host.initramfs


def test_what_a_run_that_was_cut_off_left_stopped_is_started() -> None:
    host = configured_host()
    host.files[paths.STOPPED_UNITS] = ("nvidia-dcgm.service\n", "0644")
    (change,) = planned(host).of("module").changes
    assert change.summary == "confirm the driver, and start what an earlier run left stopped"
    assert change.interrupts is Interrupts.NONE
    assert run(host, spec()) == ""
    assert paths.STOPPED_UNITS not in host.files


def test_limits_and_windows_hold_for_reboots() -> None:
    host = configured_host(**FAILED)
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
    host = configured_host(**FAILED, resident=("llama3.1:8b",))
    (blocked,) = planned(host).of("module").blocked
    assert blocked.why.endswith("driver.reboot is `bootstrap` while llama3.1:8b is loaded")
    host.api_is_down = True
    (blocked,) = planned(host).of("module").blocked
    assert blocked.kind == "unknown"


def test_a_blank_host_is_rebooted_at_any_time_because_nothing_runs_there() -> None:
    assert run(blank_host(nouveau=True), spec(service={"window": CLOSED})) == ""

from __future__ import annotations

from typing import Any

from ongpu.host.reading import Unreadable
from ongpu.plan.types import Interrupts
from tests.plan.builders import blank_host, configured_host, planned, spec
from tests.plan.runs import run

NEXT = "6.1.0-57-amd64"


def fails(**more: Any) -> dict[str, Any]:
    return {"next_kernel": NEXT, "fails_for_next": True, "tried_for_next": True, **more}


def test_a_module_that_is_missing_for_the_next_kernel_is_built() -> None:
    host = configured_host(next_kernel=NEXT)
    (change,) = planned(host).of("module").changes
    assert change.summary == f"build the kernel module 580.95.05 for {NEXT}, which boots next"
    assert change.interrupts is Interrupts.NONE
    assert run(host, spec()) == ""
    assert host.built_for_next == "580.95.05"


def test_one_that_does_not_build_is_said_before_anything_reboots() -> None:
    host = configured_host(**fails(loaded="570.10"))
    host.files["/var/lib/ongpu/reload-failed"] = ("why: in use\nboot: boot-1\n", "0644")
    (blocked,) = planned(host).of("module").blocked
    assert blocked.kind == "unsupported"
    assert blocked.why.startswith(
        f"kernel {NEXT} boots next, and the driver 580.95.05 does not build for it: nv.c:1: error: too few (/make.log)"
    )
    assert planned(host).interrupts is Interrupts.NONE
    assert run(host, spec()) == f"module: {blocked.why}"
    assert host.boots == 1


def test_a_working_host_is_told_too() -> None:
    (blocked,) = planned(configured_host(**fails())).of("module").blocked
    assert "does not build for it" in blocked.why


def test_the_gpu_of_today_is_had_in_spite_of_the_kernel_of_tomorrow() -> None:
    host = blank_host(**fails())
    assert "does not build for it" in run(host, spec())
    assert host.loaded == "580.95.05"


def test_an_upgrade_is_built_for_the_next_kernel_before_it_counts() -> None:
    host = configured_host(spec(driver={"branch": "570"}), next_kernel=NEXT, built_for_next="570.195.03")
    assert run(host, spec()) == ""
    assert (host.loaded, host.built_for_next) == ("580.95.05", "580.95.05")


def test_a_next_kernel_that_cannot_be_told_is_unknown() -> None:
    host = configured_host()
    host.blind = {"kernels": Unreadable("GRUB's configuration may not be read", "run as root")}
    (blocked,) = planned(host).of("module").blocked
    assert (blocked.kind, "which kernel boots next" in blocked.why) == ("unknown", True)

from __future__ import annotations

from typing import Any

import pytest

from ongpu.host.boot import SecureBoot, SigningKey
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.plan.types import Interrupts
from tests.plan.builders import blank_host, configured_host, planned, spec
from tests.plan.runs import run

KEY = "/var/lib/dkms/mok.pub"
NO, YES = Known(False, "mokutil"), Known(True, "mokutil")


def firmware(
    enrolled: Reading[bool] = NO, pending: Reading[bool] = NO, mode: str = "enabled", **more: Any
) -> SecureBoot:
    values: dict[str, Any] = {
        "mode": Known(mode, "efivarfs"),
        "shim_validation": Absent("says nothing"),
        "lockdown": Known("none", "/sys"),
        "sig_enforce": Known(False, "/sys"),
        "enrolled": Known((), "mokutil"),
        "keys": (SigningKey(path=KEY, enrolled=enrolled, pending=pending),),
    }
    return SecureBoot(**(values | more))


def test_a_key_that_is_not_enrolled_stops_with_the_steps_and_no_reboot() -> None:
    host = blank_host(firmware=firmware())
    why = run(host, spec())
    assert "was signed on this host, Secure Boot is on, and the firmware does not know the key" in why
    assert f"run `sudo mokutil --import {KEY}` and set a one-time password; reboot; at the console" in why
    assert "`Enroll MOK`" in why
    assert (host.loaded, host.boots) == ("", 1)
    plan = planned(host)
    assert plan.interrupts is Interrupts.NONE
    assert plan.of("module").blocked[0].kind == "unsupported"


def test_an_enrolment_that_waits_for_the_console_is_said() -> None:
    why = run(blank_host(firmware=firmware(pending=YES)), spec())
    assert "its enrolment is asked for and waits for the next boot" in why
    assert "--import" not in why


@pytest.mark.parametrize("state", [firmware(enrolled=YES), firmware(mode="disabled"), firmware(mode="setup"), None])
def test_an_enrolled_key_or_no_enforcement_is_no_matter(state: SecureBoot | None) -> None:
    assert run(blank_host(firmware=state), spec()) == ""


def test_an_unsigned_module_is_not_loaded_though_the_key_is_enrolled() -> None:
    host = blank_host(firmware=firmware(enrolled=YES), signer="")
    assert "is not signed, and Secure Boot is on: have DKMS build and sign it again" in run(host, spec())


def test_a_working_driver_is_not_given_up_for_one_whose_key_nobody_knows() -> None:
    host = configured_host(spec(driver={"branch": "570"}), firmware=firmware())
    why = run(host, spec())
    assert "the module of another driver would be signed on this host" in why
    assert host.loaded == "570.195.03"


def test_what_mokutil_does_not_say_is_unknown() -> None:
    blind = Unreadable("mokutil is not installed", "install mokutil")
    host = blank_host(firmware=firmware(enrolled=blind))
    why = run(host, spec())
    assert why.endswith(f"cannot tell whether the firmware knows {KEY}: mokutil is not installed (install mokutil)")
    assert planned(host).of("module").blocked[0].kind == "unknown"

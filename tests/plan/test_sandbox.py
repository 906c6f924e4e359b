"""Hardening that hides the GPU: our drop-in opens what is needed, and no more."""

from __future__ import annotations

import pytest

from ongpu.host import paths
from ongpu.plan.types import Interrupts
from tests.plan.builders import configured_host, planned, spec
from tests.plan.runs import run
from tests.plan.world import World

DEVICES = "DeviceAllow=char-nvidia* rw"


def hardened(**shown: str) -> World:
    """Configured, then somebody's earlier drop-in hardened it."""
    host = configured_host()
    host.hardening = shown
    return host


@pytest.mark.parametrize(
    ("shown", "opened"),
    [
        ({"PrivateDevices": "yes", "DevicePolicy": "closed"}, ["PrivateDevices=no", "DevicePolicy=auto"]),
        ({"DevicePolicy": "closed", "DeviceAllow": ""}, [DEVICES]),
        ({"DevicePolicy": "strict", "DeviceAllow": "/dev/null rw"}, [DEVICES]),
        ({"DevicePolicy": "auto", "DeviceAllow": "/dev/dri rw"}, [DEVICES]),
        ({"MemoryDenyWriteExecute": "yes"}, ["MemoryDenyWriteExecute=no"]),
    ],
)
def test_what_is_in_the_way_is_opened_once(shown: dict[str, str], opened: list[str]) -> None:
    host = hardened(**shown)
    plan = planned(host)
    assert plan.of("restart").deferred or plan.of("restart").changes, "a process keeps the sandbox of its start"
    assert run(host, spec()) == ""
    lines = host.files[paths.DROP_IN][0].splitlines()
    assert [line for line in lines if line.partition("=")[0] in {*shown, "DeviceAllow", "DevicePolicy"}] == opened
    started = host.started
    assert planned(host).empty
    assert run(host, spec()) == ""
    assert host.started == started


def test_an_open_service_gets_no_line_of_it() -> None:
    host = hardened(PrivateDevices="no", DevicePolicy="auto", DeviceAllow="", MemoryDenyWriteExecute="no")
    assert planned(host).empty
    assert "DeviceAllow" not in host.files[paths.DROP_IN][0]


def test_the_restart_says_why() -> None:
    host = hardened(PrivateDevices="yes", DevicePolicy="closed")
    for change in planned(host).of("override").changes:
        host.apply(change)
    (change,) = planned(host).of("restart").changes
    assert "it was started where the GPU's devices were hidden from it" in change.summary
    assert change.interrupts is Interrupts.RESTART


def test_a_later_drop_in_is_named_and_not_fought() -> None:
    host = hardened(PrivateDevices="yes", DevicePolicy="closed")
    host.hardened_later = ("PrivateDevices", "DevicePolicy")
    host.other_drop_ins[f"{paths.DROP_IN_DIR}/90-hard.conf"] = {}
    reason = run(host, spec())
    assert "PrivateDevices=yes keeps Ollama from the GPU; it is set by" in reason
    assert "90-hard.conf: remove it there" in reason
    started = host.started
    run(host, spec())
    assert host.started == started

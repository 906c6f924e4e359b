"""A driver's installation, upgrade, downgrade, killed between any two commands on the host: the next run finishes it.

`ONGPU_LAB_BOUNDARIES` sets how many of the places are tried of each (`all`: every one); which ones, chance decides, and
`ONGPU_LAB_SEED` repeats it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import pytest

from tests.lab import boundaries
from tests.lab.fleets import SMALL, Controller, fleet
from tests.lab.machines import Host
from tests.lab.test_killed import apply_until_done

pytestmark = pytest.mark.lab

Controlled = Callable[..., Controller]


@pytest.fixture
def chosen() -> Callable[[int], list[int]]:
    """`chosen(93)`: at which of so many commands runs are killed, in pairs of hosts."""
    seed = os.environ.get("ONGPU_LAB_SEED") or str(time.time_ns())
    print(f"ONGPU_LAB_SEED={seed}")
    moments = random.Random(seed)

    def some(commands: int) -> list[int]:
        everywhere = list(range(1, commands + 1))
        asked = os.environ.get("ONGPU_LAB_BOUNDARIES", "2")
        return everywhere if asked == "all" else moments.sample(everywhere, min(int(asked), commands))

    return some


def on(hosts: list[Host], controller: Controlled, branch: str) -> Controller:
    entries = {host.name: SMALL for host in hosts}
    return controller({**fleet(entries, driver={"branch": branch}), "rollout": {"max_failures": "100%"}})


def killed(hosts: list[Host], fleet_: Controller, places: list[int]) -> None:
    """One run, cut off on each host at a place of its own."""
    for host, at in zip(hosts, places, strict=True):
        boundaries.arm(host, at)
    fleet_.ongpu("apply", "-y")
    for host, at in zip(hosts, places, strict=True):
        print(f"{host.name}: killed at {boundaries.last_call(host)!r} (of {at})")
        boundaries.disarm(host)


def finished(hosts: list[Host], fleet_: Controller, branch: str) -> None:
    apply_until_done(fleet_)
    for host in hosts:
        assert host.out("dpkg --audit") == "", host.name
        assert host.out("cut -d . -f 1 /sys/module/nvidia/version") == branch
        assert host.out("systemctl is-active ollama nvidia-persistenced").split() == ["active", "active"]
        assert host.run("cd /var/lib/ongpu && ls stopped-units reload-failed switch-failed rebooted").stdout == ""
        assert "nvidia-driver-cuda" in host.out("apt-mark showhold").split()
    assert {record["verdict"] for record in fleet_.report("plan").values()} == {"ok"}


def pairs(places: list[int]) -> list[list[int]]:
    return [(places[at : at + 2] * 2)[:2] for at in range(0, len(places), 2)]


def test_an_exchange_killed_between_two_commands(
    blank: Callable[..., list[Host]], controller: Controlled, chosen: Callable[[int], list[int]]
) -> None:
    """Upgrade and downgrade in turn, on Debian 12 and 13."""
    hosts = blank("lab1", "lab2")
    apply_until_done(on(hosts, controller, "570"))
    branches = ["570", "580"]
    for host in hosts:
        boundaries.arm(host, 0)
    apply_until_done(on(hosts, controller, branches[-1]))
    commands = min(boundaries.count(host) for host in hosts)
    print(f"{commands} commands")
    assert commands > 30, "what changes the driver is counted"
    for places in pairs(chosen(commands)):
        branches.reverse()
        fleet_ = on(hosts, controller, branches[-1])
        killed(hosts, fleet_, places)
        finished(hosts, fleet_, branches[-1])


def test_an_installation_killed_between_two_commands(
    blank: Callable[..., list[Host]], controller: Controlled, chosen: Callable[[int], list[int]]
) -> None:
    """From blank, all of it: driver, Ollama, models."""
    hosts = blank("lab1", "lab2")
    fleet_ = on(hosts, controller, "580")
    for host in hosts:
        boundaries.arm(host, 0)
    apply_until_done(fleet_)
    commands = min(boundaries.count(host) for host in hosts)
    print(f"{commands} commands")
    assert commands > 60, "what installs a host is counted"
    for places in pairs(chosen(commands)):
        for host in hosts:
            host.reset()
        killed(hosts, fleet_, places)
        finished(hosts, fleet_, "580")

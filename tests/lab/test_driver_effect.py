"""A driver takes effect on hosts that serve: by a reload of its module where that does, by a reboot where only that
does and the policy allows it. The life of two hosts, Debian 12 and 13, told in order: each run is a change to both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ongpu_lab import faults
from tests.lab.fleets import SMALL, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

Controlled = Callable[..., Controller]
CLOSED, OPEN = "Mon 02:00-02:01", "Mon-Sun 00:00-24:00"
BY_HAND = """
installed=$(dpkg-query -W -f '${Package} ${Version}\\n' | awk '$2 ~ /^580[.]/ { print $1 "=570.195.03-1" }')
DEBIAN_FRONTEND=noninteractive apt-get -qq -y --allow-downgrades --allow-change-held-packages install $installed
"""


@dataclass(frozen=True)
class Life:
    """Two servers and what is declared for them."""

    hosts: tuple[Host, ...]
    controller: Controlled

    def on(self, branch: str, window: str | None = None, **driver: Any) -> Controller:
        service = {"service": {"window": window}} if window else {}
        entries = {host.name: SMALL for host in self.hosts}
        return self.controller(fleet(entries, driver={"branch": branch, **driver}, **service))

    def boots(self) -> list[str]:
        return [host.boot_id() for host in self.hosts]

    def loaded(self) -> list[str]:
        return [host.out("cut -d . -f 1 /sys/module/nvidia/version") for host in self.hosts]

    def apply(self, on: Controller) -> None:
        """Every host ends proven, with nothing left to do."""
        for name, record in on.report("apply", "-y").items():
            assert [model["verdict"] for model in record["models"]] == ["verified"], (name, record)
        assert all(not record["changes"] for record in on.report("plan").values())

    def serves(self) -> None:
        for host in self.hosts:
            assert host.out("systemctl is-active ollama nvidia-persistenced").split() == ["active", "active"]
            assert host.out("nvidia-smi --query-gpu=persistence_mode --format=csv,noheader") == "Enabled"


def test_a_driver_s_life(blank: Callable[..., list[Host]], controller: Controlled) -> None:
    life = Life(tuple(blank("lab1", "lab2")), controller)
    boots = life.boots()
    life.apply(life.on("570"))
    _an_upgrade_while_it_serves_needs_no_reboot(life)
    _it_is_taken_back_and_that_too(life)
    _holds_keep_it_from_every_other_upgrade(life)
    _a_downgrade_is_a_plan_like_any_other(life)
    assert life.boots() == boots
    _what_only_a_reboot_does_waits_for_the_policy(life)
    _a_reload_that_fails_leaves_everything_as_it_was(life)


def _an_upgrade_while_it_serves_needs_no_reboot(life: Life) -> None:
    life.apply(life.on("580"))
    assert life.loaded() == ["580", "580"]
    life.serves()


def _it_is_taken_back_and_that_too(life: Life) -> None:
    """On the first host, which serves all the time but for the exchange."""
    first = life.hosts[0]
    for branch in ("570", "580"):
        life.on("580").report("undo", first.name, "-y")
        assert life.loaded()[0] == branch
        life.serves()
    assert life.on("580").report("plan", first.name)[first.name]["verdict"] == "ok"


def _holds_keep_it_from_every_other_upgrade(life: Life) -> None:
    """590 is on offer. The pin goes away, as when somebody tidies up: the holds are left."""
    look = "dpkg-query -W | grep -E 'nvidia|libcuda|libnv' | sort"
    for host in life.hosts:
        before = host.out(look)
        host.out("rm /etc/apt/preferences.d/ongpu-nvidia; apt-get -qq update")
        assert "590." in host.out("apt-cache policy nvidia-driver-cuda | grep Candidate")
        for words in ("upgrade", "full-upgrade", "-t o=NVIDIA upgrade"):
            host.out(f"DEBIAN_FRONTEND=noninteractive apt-get -qq -y {words}")
        assert host.out(look) == before
        held = host.out("apt-mark showhold").split()
        assert {"nvidia-driver-cuda", "nvidia-kernel-open-dkms", "libcuda1", "firmware-nvidia-gsp"} <= set(held)


def _a_downgrade_is_a_plan_like_any_other(life: Life) -> None:
    """On the second host somebody has begun it by hand: libraries and module on disk are 570, 580 is loaded."""
    life.hosts[1].out(BY_HAND)
    assert life.hosts[1].run("nvidia-smi").returncode == 18
    life.apply(life.on("570"))
    assert life.loaded() == ["570", "570"]
    life.serves()


def _what_only_a_reboot_does_waits_for_the_policy(life: Life) -> None:
    for host in life.hosts:
        faults.apply(host.lab, faults.find("gpu-used-by-another"), host.name)
    boots = life.boots()
    for policy, says in (
        ({"reboot": "never"}, "and driver.reboot is `never`"),
        ({"reboot": "window", "window": CLOSED}, "is closed until"),
    ):
        on = life.on("580", **policy)
        for verb in (("plan",), ("apply", "-y")):
            for record in on.report(*verb, expect=4).values():
                said = record.get("error") or record["summary"]
                assert "this needs a reboot (trainer (pid " in said, record
                assert says in said, record
    assert (life.loaded(), life.boots()) == (["570", "570"], boots)
    life.serves()

    life.apply(life.on("580", reboot="window"))
    assert life.loaded() == ["580", "580"]
    assert not set(life.boots()) & set(boots)


def _a_reload_that_fails_leaves_everything_as_it_was(life: Life) -> None:
    first = life.hosts[0]
    faults.apply(first.lab, faults.find("module-held"), first.name)
    boots = life.boots()
    records = life.on("590").report("apply", "-y", expect=2)
    said = records[first.name]["error"]
    assert "the kernel module cannot be unloaded: rmmod: ERROR: Module nvidia is in use" in said
    assert "what was stopped was started again" in said
    assert life.loaded()[0] == "580"
    life.serves()
    said = life.on("590").report("apply", "-y", first.name, expect=4)[first.name]["error"]
    assert "driver.reboot is `bootstrap` while the present driver works" in said
    assert life.boots() == boots
    life.on("590", reboot="window").report("apply", "-y", first.name)
    assert (life.loaded()[0], life.boots()[0] == boots[0]) == ("590", False)

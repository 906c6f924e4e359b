"""What stands between a host and its driver: Secure Boot, nouveau, a kernel that DKMS cannot build for. Each is said
before anything reboots, and is out of the way with the steps that ongpu names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ongpu_lab import faults
from tests.lab.fleets import SMALL, Controller, fleet
from tests.lab.machines import Host

pytestmark = pytest.mark.lab

LATER = "k=$(ls /boot | sed -n 's/vmlinuz-//p')"
HOST_INI = "/etc/ongpu-lab/host.ini"


class Obstacles:
    """Two blank servers, Debian 12 and 13."""

    def __init__(self, hosts: list[Host], controller: Callable[..., Controller]) -> None:
        self.hosts = hosts
        self._controller = controller

    def on(self, branch: str = "580", **driver: Any) -> Controller:
        rollout = {"max_failures": "100%"}  # each obstacle stands on both
        entries = {host.name: SMALL for host in self.hosts}
        return self._controller({**fleet(entries, driver={"branch": branch, **driver}), "rollout": rollout})

    def fault(self, name: str) -> None:
        for host in self.hosts:
            faults.apply(host.lab, faults.find(name), host.name)

    def clear(self, name: str) -> None:
        for host in self.hosts:
            faults.clear(host.lab, name, host.name)

    def out(self, command: str) -> list[str]:
        return [host.out(command) for host in self.hosts]

    def stops(self, on: Controller, *words: str) -> dict[str, dict[str, Any]]:
        """Both fail with these words, without a reboot."""
        boots = self.out("cat /proc/sys/kernel/random/boot_id")
        records = on.report("apply", "-y", expect=2)
        for record in records.values():
            assert all(word in record["error"] for word in words), record["error"]
        assert self.out("cat /proc/sys/kernel/random/boot_id") == boots
        return records

    def serves(self, on: Controller) -> None:
        for record in on.report("apply", "-y").values():
            assert [model["verdict"] for model in record["models"]] == ["verified"], record


def test_obstacles(blank: Callable[..., list[Host]], controller: Callable[..., Controller]) -> None:
    both = Obstacles(blank("lab1", "lab2"), controller)
    both.fault("secure-boot")
    both.fault("nouveau")
    _a_key_that_the_firmware_does_not_know(both)
    _nouveau(both)
    _a_later_kernel(both)
    _a_kernel_that_dkms_cannot_build_for(both)


def _a_key_that_the_firmware_does_not_know(both: Obstacles) -> None:
    on = both.on()
    both.stops(on, "the firmware does not know the key", "sudo mokutil --import /var/lib/dkms/mok.pub", "Enroll MOK")
    both.out("printf 'secret\\nsecret\\n' | mokutil --import /var/lib/dkms/mok.pub")
    for record in on.report("plan", expect=2).values():
        assert "its enrolment is asked for and waits for the next boot" in record["summary"], record
    for host in both.hosts:
        faults.Target(host.lab, host.name).knob(HOST_INI, "secure_boot", "console", "enrol")
        host.reboot()


def _nouveau(both: Obstacles) -> None:
    """Its key is enrolled now, so the module may be loaded: once nouveau has let go of the GPU."""
    assert both.out("ls -d /sys/module/nouveau") == ["/sys/module/nouveau"] * 2
    boots = both.out("cat /proc/sys/kernel/random/boot_id")
    never = both.on(reboot="never")
    for record in never.report("apply", "-y", expect=4).values():
        assert "nouveau holds the GPU: this needs a reboot, and driver.reboot is `never`" in record["error"]
    both.serves(both.on())
    assert not set(both.out("cat /proc/sys/kernel/random/boot_id")) & set(boots)
    assert "module is rejected" not in "".join(both.out("journalctl --sync; journalctl -k -b --output=cat"))


def _a_later_kernel(both: Obstacles) -> None:
    both.fault("new-kernel")
    for record in both.on().report("plan", expect=2).values():
        assert "which boots next" in record["changes"][0]["summary"], record
    both.serves(both.on())
    assert both.out(f"{LATER}; modinfo -k $k -F version nvidia") == ["580.95.05"] * 2


def _a_kernel_that_dkms_cannot_build_for(both: Obstacles) -> None:
    """The running one on the first host, which apt says; the one that boots next on the other."""
    for host, kernel in zip(both.hosts, ("k=$(uname -r)", LATER), strict=True):
        release = host.out(f"{kernel}; echo $k")
        faults.Target(host.lab, host.name).knob(HOST_INI, "dkms", "fail_for", f"590.44.01/{release}")
    newer = both.on("590")
    records = both.stops(newer, "the previous driver was put back")
    assert "Bad return status for module build on kernel" in records["lab1"]["error"]
    assert "the module does not build for" in records["lab2"]["error"]
    assert "pci_resize_resource" in records["lab2"]["error"]
    assert both.out("systemctl is-active ollama nvidia-persistenced") == ["active\nactive"] * 2
    both.stops(newer, "driver 580.95.05 -> 590 was tried and does not run here")
    assert both.out("cut -d . -f 1 /sys/module/nvidia/version") == ["580", "580"]
    assert both.out(f"{LATER}; modinfo -k $k -F version nvidia") == ["580.95.05"] * 2
    assert both.out("dpkg --audit") == ["", ""]
    both.serves(both.on())

    both.fault("dkms-fails-for-new-kernel")
    both.out(f"{LATER}; dkms remove -m nvidia -v 580.95.05 -k $k")
    both.stops(both.on(), "does not build for", "which boots next", "pci_resize_resource")
    for record in both.on().report("plan", expect=2).values():
        assert "boots next, and the driver 580.95.05 does not build for it" in record["summary"], record
    assert both.out("dpkg --audit") == ["", ""]


def test_a_driver_by_nvidia_s_own_installer(host: Host, controller: Callable[..., Controller]) -> None:
    """Refused, or replaced where that is declared: by a reload, as any other driver."""
    one = Obstacles([host], controller)
    one.fault("driver-by-run-file")
    one.stops(one.on(), "was not installed from NVIDIA's packages", "declare driver: {replace: true}", "--silent")
    boot = host.boot_id()
    one.serves(one.on(replace=True))
    assert host.out("cat /sys/module/nvidia/version").startswith("580.")
    assert host.boot_id() == boot
    assert host.run("ls /usr/bin/nvidia-uninstall").returncode != 0
    assert one.on(replace=True).report("plan")[host.name]["verdict"] == "ok"

"""What is declared of the GPUs, on a host with a data centre card; and an NVSwitch machine's fabric manager."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ongpu.host.paths import GPU_UNIT
from ongpu.host.reading import Known, value_or_none
from ongpu_lab.vendor import profile
from tests.lab.fleets import Controller, fleet
from tests.lab.machines import Host
from tests.lab.test_lab_driver import snapshot

pytestmark = pytest.mark.lab

SETTINGS = {"persistence": True, "power_limit_watts": 60, "clocks": {"graphics": [300, 1500]}}


def card(host: Host, name: str, **values: str) -> None:
    """Another simulated card at the first one's address, before its driver is loaded."""
    gpu = profile.gpus(profile.text(name))[0] | values | {"bus_id": "00000000:01:00.0"}
    lines = "\n".join(f"{key} = {value}" for key, value in gpu.items())
    host.out(f"cat >/etc/ongpu-lab/gpus.ini <<'END'\n[gpu0]\n{lines}\nEND\n")


def declared(**settings: Any) -> dict[str, Any]:
    reboot = settings.pop("reboot", "bootstrap")
    driver = {"branch": "580", "reboot": reboot, "settings": settings}
    return fleet({"lab1": {}}, driver=driver, ollama={"manage": False, "release": "0.32.15"})


def limit(host: Host) -> str:
    return host.out("nvidia-smi --query-gpu=power.limit,persistence_mode --format=csv,noheader,nounits")


def test_settings_from_the_first_run_to_a_reboot(
    host: Host, controller: Callable[[Mapping[str, Any]], Controller]
) -> None:
    card(host, "l4")
    done = controller(declared(**SETTINGS)).ongpu("apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert limit(host) == "60.00, Enabled"
    assert host.out("cat /run/ongpu-lab/set/gpu0.locked_clock_max") == "1500"

    host.out("nvidia-smi -pl 72")
    drift = controller(declared(**SETTINGS)).report("drift", expect=2)["lab1"]
    assert any("power limit is 72 W" in change["summary"] for change in drift["changes"])
    assert controller(declared(**SETTINGS)).ongpu("apply", "--yes").returncode == 0
    assert limit(host) == "60.00, Enabled"

    refused = controller(declared(power_limit_watts=300)).ongpu("plan")
    assert (refused.returncode, "takes 40 to 72 W" in refused.stdout) == (2, True), refused.stdout

    no_reboot = controller(declared(**SETTINGS, ecc=False)).ongpu("apply", "--yes")
    assert no_reboot.returncode == 4, no_reboot.stdout
    assert "needs a reboot" in no_reboot.stdout
    done = controller(declared(**SETTINGS, ecc=False, reboot="window")).ongpu("apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.out("nvidia-smi --query-gpu=ecc.mode.current --format=csv,noheader") == "Disabled"
    assert limit(host) == "60.00, Enabled", "set again by the unit"

    assert controller(declared()).ongpu("apply", "--yes").returncode == 0
    assert host.run(f"systemctl cat {GPU_UNIT}").returncode != 0


def test_cuda_waits_for_the_fabric_manager(host: Host, controller: Callable[[Mapping[str, Any]], Controller]) -> None:
    card(host, "h100")
    assert controller(declared()).ongpu("apply", "--yes").returncode == 0
    switch = "/sys/bus/pci/devices/0000:05:00.0"
    host.out(
        f"mkdir {switch}; echo 0x10de >{switch}/vendor; echo 0x068000 >{switch}/class; echo 0x22a3 >{switch}/device"
    )
    found = snapshot(host)
    assert isinstance(found.fabric, Known)
    assert value_or_none(found.fabric.value.needs_manager) is True
    assert isinstance(found.nvml, Known)
    (gpu,) = value_or_none(found.nvml.value.gpus) or ()
    assert value_or_none(gpu.settings.fabric) == "In Progress"

    done = controller(declared()).ongpu("apply", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    found = snapshot(host)
    assert isinstance(found.fabric, Known)
    assert isinstance(found.fabric.value.manager, Known)
    manager = found.fabric.value.manager.value
    assert (manager.state, manager.enabled) == ("active", "enabled")
    assert value_or_none(manager.version) == host.out("cat /sys/module/nvidia/version")
    assert isinstance(found.nvml, Known)
    (gpu,) = value_or_none(found.nvml.value.gpus) or ()
    assert value_or_none(gpu.settings.fabric) == "Completed"
    assert "nvidia-fabricmanager" in host.out("apt-mark showhold")
    assert controller(declared()).report("plan")["lab1"]["verdict"] == "ok"

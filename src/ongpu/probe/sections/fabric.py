"""The NVSwitch fabric and its manager; the persistence daemon beside it."""

from __future__ import annotations

import re

from ongpu.host.gpu import pci_address
from ongpu.host.paths import GPU_UNIT
from ongpu.host.platform import Fabric, FabricManager, SettingsUnit
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe.output import Output
from ongpu.probe.section import Section

# NVSwitches are PCI bridges of class 0x0680. With NVLink 5 they are behind a ConnectX bridge whose vital product data
# holds SW_MNG (gpu-driver-container, nvidia-driver start scripts); only then there is no device of that class.
SHELL = rf"""
switches() {{
  for dir in /sys/bus/pci/devices/*; do
    vendor=; class=
    [ -r "$dir/vendor" ] && read -r vendor <"$dir/vendor"
    [ "$vendor" = 0x10de ] && [ -r "$dir/class" ] && read -r class <"$dir/class"
    case $class in 0x0680*) printf '%s\n' "${{dir##*/}}" ;; esac
  done; :
}}
nic() {{
  for file in /sys/class/infiniband/*/device/vpd; do
    [ -r "$file" ] && bound 2 grep -qa SW_MNG "$file" && printf '%s\n' "$file"
  done; :
}}
units() {{
  bound 3 systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState -p Result -p NeedDaemonReload \
    nvidia-fabricmanager.service nvidia-persistenced.service {GPU_UNIT}
}}
if [ -d /sys/bus/pci/devices ]; then p switches switches; else p nobus printf 'no\n'; fi
p nic nic
if have systemctl && [ -d /run/systemd/system ]; then p units units; else p nosystemd printf 'no\n'; fi
if have nv-fabricmanager; then p version bound 3 nv-fabricmanager --version; fi
p last printf 'yes\n'
"""

# Fabric Manager version is : 580.95.05                    nv-fabricmanager --version
_VERSION = re.compile(r"[Vv]ersion\s+is\s*:\s*(\d{3}(?:\.\d{1,4})+)")


def parse(output: Output) -> Known[Fabric] | Absent | Unreadable:
    """Each of its readings says for itself whether it could be looked at."""
    return Known(
        Fabric(
            switches=_switches(output),
            managed_by_nic=_nic(output),
            manager=_manager(output),
            persistenced=_persistenced(output),
            settings_unit=_settings_unit(output),
        ),
        "/sys/bus/pci/devices, systemctl show",
    )


def _switches(output: Output) -> Reading[tuple[str, ...]]:
    if output["nobus"].ok:
        return Absent("there is no PCI bus (/sys/bus/pci/devices)")
    if output["switches"].trouble:
        return Unreadable(f"/sys/bus/pci/devices: {output['switches'].trouble}")
    found = [address for line in output["switches"].short_lines if (address := pci_address(line))]
    return Known(tuple(found), "/sys/bus/pci/devices")


def _nic(output: Output) -> Reading[bool]:
    if output["nic"].trouble:
        return Unreadable(f"/sys/class/infiniband: {output['nic'].trouble}")
    return Known(bool(output["nic"].lines), "/sys/class/infiniband/*/device/vpd")


def _unit(output: Output, name: str) -> dict[str, str] | Absent | Unreadable:
    if output["nosystemd"].ok:
        return Absent("systemd does not run here")
    if output["units"].trouble:
        return Unreadable(f"systemctl show {name}: {output['units'].trouble}")
    for block in output["units"].text.split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
        if unit.get("Id") == name:
            return unit if unit.get("LoadState") == "loaded" else Absent(f"there is no {name}")
    return Unreadable(f"systemctl show {name}: no answer about it")


def _manager(output: Output) -> Reading[FabricManager]:
    unit = _unit(output, "nvidia-fabricmanager.service")
    if output["last"].trouble:
        return Unreadable("the look at fabric manager was cut off")
    if not isinstance(unit, dict):
        return unit
    part = output["version"]
    found = _VERSION.search(part.text)
    version: Reading[str]
    if "version" not in output.parts:
        version = Absent("nv-fabricmanager is not installed")
    elif found:
        version = Known(found[1], "nv-fabricmanager --version")
    else:
        version = Unreadable(f"nv-fabricmanager --version: {part.trouble or 'unexpected answer'}")
    return Known(
        FabricManager(
            version=version,
            state=unit.get("ActiveState", ""),
            enabled=unit.get("UnitFileState", ""),
            result=unit.get("Result", ""),
        ),
        "systemctl show",
    )


def _persistenced(output: Output) -> Reading[str]:
    unit = _unit(output, "nvidia-persistenced.service")
    return Known(unit.get("ActiveState", ""), "systemctl show") if isinstance(unit, dict) else unit


def _settings_unit(output: Output) -> Reading[SettingsUnit]:
    unit = _unit(output, GPU_UNIT)
    if not isinstance(unit, dict):
        return unit
    found = SettingsUnit(
        state=unit.get("ActiveState", ""),
        enabled=unit.get("UnitFileState", ""),
        result=unit.get("Result", ""),
        needs_reload=unit.get("NeedDaemonReload") == "yes",
    )
    return Known(found, "systemctl show")


SECTION = Section(name="fabric", shell=SHELL, parse=parse, seconds=10)

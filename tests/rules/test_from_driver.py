"""Firmware, kernels and modprobe's configuration as evidence: what they break is found, what they do not is not."""

from __future__ import annotations

import pytest

from ongpu.host.boot import DkmsFailure, InstalledKernel, Kernels
from ongpu.host.platform import Fabric, FabricManager
from ongpu.host.reading import Absent, Known, Reading
from ongpu.host.use import Modprobe, ModprobeLine
from tests.rules.test_from_snapshot import causes, of

RUNNING, NEXT = "6.1.0-56-amd64", "6.1.0-100-amd64"


def kernels(failed: str) -> Kernels:
    return Kernels(
        running=RUNNING,
        next_boot=Known(NEXT, "GRUB"),
        installed=tuple(
            InstalledKernel(release=release, bootable=True, headers=True, module=Absent("no NVIDIA module"))
            for release in (RUNNING, NEXT)
        ),
        dkms=(),
        failures=(
            DkmsFailure(name="nvidia", version="580.95.05", kernel=failed, log="/x", lines=("nv.c: error: no",)),
        ),
    )


@pytest.mark.parametrize(("failed", "expected"), [(RUNNING, ["module-missing-for-kernel"]), (NEXT, [])])
def test_a_failed_build_is_a_cause_only_for_the_running_kernel(failed: str, expected: list[str]) -> None:
    assert causes(of(kernels=Known(kernels(failed), "dkms"))) == expected


@pytest.mark.parametrize(
    ("module", "parameter", "expected"),
    [
        ("nouveau", "pci=realloc", []),
        ("nvidia", "pci=realloc", ["nvidia-module-blacklisted"]),
        ("nouveau", "modprobe.blacklist=nvidia", ["nvidia-module-blacklisted"]),
    ],
)
def test_blacklists(module: str, parameter: str, expected: list[str]) -> None:
    line = ModprobeLine(path="/etc/modprobe.d/x.conf", verb="blacklist", module=module, rest="")
    assert (
        causes(of(modprobe=Known(Modprobe(lines=(line,), parameters=Known((parameter,), "")), "modprobe.d")))
        == expected
    )


@pytest.mark.parametrize(
    ("switches", "manager", "expected"),
    [
        (("0000:85:00.0",), Absent("there is no unit"), ["fabric-manager-not-running"]),
        (
            ("0000:85:00.0",),
            Known(FabricManager(version=Absent(""), state="failed", enabled="", result="exit-code"), ""),
            ["fabric-manager-not-running"],
        ),
        (("0000:85:00.0",), Known(FabricManager(version=Absent(""), state="active", enabled="", result=""), ""), []),
        ((), Absent("there is no unit"), []),
        ((), Known(FabricManager(version=Absent(""), state="failed", enabled="", result="exit-code"), ""), []),
    ],
)
def test_fabric_manager_matters_only_where_there_are_switches(
    switches: tuple[str, ...], manager: Reading[FabricManager], expected: list[str]
) -> None:
    found = Fabric(
        switches=Known(switches, "/sys"),
        managed_by_nic=Known(False, "/sys"),
        manager=manager,
        persistenced=Absent("there is no unit"),
    )
    assert causes(of(fabric=Known(found, "systemctl"))) == expected

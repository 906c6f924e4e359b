"""Firmware, kernels and modprobe's configuration as evidence: what they break is found, what they do not is not."""

from __future__ import annotations

import pytest

from ongpu.host.boot import DkmsFailure, InstalledKernel, Kernels
from ongpu.host.reading import Absent, Known
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

"""Fewer GPUs than declared is a finding, whoever says so; not knowing is unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ongpu.host.gpu import Nvml, PciGpu
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.result import Finding, Unknown
from ongpu.host.snapshot import HostSnapshot
from ongpu.proof.expected import missing_gpus
from tests.proof import scenes

BUS = PciGpu(address="0000:01:00.0", device_id="0x2882", subsystem_id="", pci_class="0x030000", driver="nvidia")


def host(nvml: Reading[Nvml], on_bus: int = 2) -> HostSnapshot:
    blind = HostSnapshot.unreadable("not looked at")
    return replace(blind, nvml=nvml, pci=Known((BUS,) * on_bus, "sysfs"))


def answering(*names: str) -> Reading[Nvml]:
    gpus = [scenes.gpu(index, f"GPU-{index}", 0) for index in range(len(names))]
    named = [replace(gpu, info=replace(gpu.info, name=name)) for gpu, name in zip(gpus, names, strict=True)]
    return Known(scenes.nvml(tuple(named), ()), "nvidia-smi")


LOST: Reading[Nvml] = Known(replace(scenes.nvml((), ()), gpus=Unreadable("GPU is lost"), exit_code=15), "nvidia-smi")


@pytest.mark.parametrize(
    ("count", "name", "nvml", "on_bus", "says"),
    [
        (2, None, answering("RTX 4060"), 2, "expect.gpus is 2, but 1 answer (2 on the PCI bus)"),
        (1, "H100", answering("NVIDIA L4"), 1, "expect.name is H100, but there is NVIDIA L4 (1 on the PCI bus)"),
        (1, None, Absent("no nvidia-smi"), 1, "expect.gpus is 1, but no GPU answers (1 on the PCI bus)"),
        (None, None, LOST, 2, "no GPU answers (2 on the PCI bus)"),
        (None, None, answering(), 1, "no GPU answers (1 on the PCI bus)"),
        (2, None, LOST, 1, "expect.gpus is 2, but no GPU answers (1 on the PCI bus)"),
    ],
)
def test_less_is_a_finding(count: int, name: str | None, nvml: Reading[Nvml], on_bus: int, says: str) -> None:
    found = missing_gpus(count, name, host(nvml, on_bus))
    assert isinstance(found, Finding)
    assert found.summary == says
    assert found.evidence


def test_as_many_or_more_with_the_right_name_is_fine() -> None:
    assert missing_gpus(1, "rtx 4060", host(answering("NVIDIA GeForce RTX 4060", "NVIDIA GeForce RTX 4060"))) is None
    assert missing_gpus(0, None, host(Absent("no nvidia-smi"), 0)) is None


def test_what_could_not_be_looked_at_is_unknown() -> None:
    assert isinstance(missing_gpus(2, None, host(Unreadable("hung"))), Unknown)
    assert isinstance(missing_gpus(1, "L4", host(Unreadable("hung"))), Unknown)
    assert isinstance(missing_gpus(None, None, host(Unreadable("hung"))), Unknown)

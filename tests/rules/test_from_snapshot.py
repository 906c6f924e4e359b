"""Recorded and made-up hosts go through the same rules as pasted text."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from ongpu.host.gpu import DiskModule, KernelModule, LoadedModule, Nvml, PciGpu
from ongpu.host.ollama import Api, Journal, LoadedModel
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.system import KernelLine, KernelLog, Package, Packages
from ongpu.probe import nvml_read
from ongpu.probe.decode import decode
from ongpu.rules.diagnose import Diagnosis, diagnose
from ongpu.rules.from_snapshot import evidence_from
from tests.probe.fake_pynvml import Pynvml

RECORDINGS = Path(__file__).resolve().parent.parent / "recordings" / "probe"
BLIND = HostSnapshot.unreadable("not asked")
GPU = PciGpu(address="0000:01:00.0", device_id="0x2882", subsystem_id="", pci_class="0x030000", driver="nvidia")


def of(**sections: object) -> Diagnosis:
    return diagnose(evidence_from(replace(BLIND, **sections)))  # type: ignore[arg-type]


def causes(found: Diagnosis) -> list[str]:
    return [finding.cause for finding in found.findings]


def module(version: str, uvm: bool) -> Known[KernelModule]:
    return Known(
        KernelModule(
            loaded=Known(LoadedModule(version=version, flavour="open"), "/proc"),
            on_disk=Absent("modinfo"),
            uvm_loaded=Known(uvm, "/proc/modules"),
            nouveau_loaded=Known(False, "/proc/modules"),
            users=Known(0, "/proc/modules"),
        ),
        "/proc/driver/nvidia/version",
    )


def nvml(code: int, message: str) -> Known[Nvml]:
    blind = Unreadable(message)
    return Known(
        Nvml(exit_code=code, message=message, driver_version=blind, cuda_version=blind, gpus=blind, processes=blind),
        "nvidia-smi",
    )


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("*.txt")), ids=lambda file: file.stem)
def test_recorded_hosts_without_a_gpu_are_never_healthy(file: Path) -> None:
    found = diagnose(evidence_from(decode(file.read_text())))
    assert found.verdict in ("findings", "unknown")
    for finding in found.findings:
        assert finding.evidence


def test_no_gpu_on_the_bus() -> None:
    found = of(pci=Known((), "/sys/bus/pci"), nvml=nvml(9, "nvidia-smi was not asked: the kernel module is not loaded"))
    assert causes(found) == ["gpu-absent"]
    assert found.findings[0].symptoms


def test_version_mismatch() -> None:
    found = of(
        pci=Known((GPU,), "/sys"),
        module=module("570.86.15", uvm=True),
        nvml=nvml(18, "Failed to initialize NVML: Driver/library version mismatch NVML library version: 580.95"),
    )
    assert causes(found)[0] == "driver-library-mismatch"
    assert "570.86.15" in found.summary


@pytest.mark.parametrize(("package", "expected"), [("nvidia-driver-cuda", ["module-missing-for-kernel"]), ("curl", [])])
def test_a_module_is_missing_only_where_a_driver_is_installed(package: str, expected: list[str]) -> None:
    installed = Package(name=package, version="1", status="ii", held=False)
    packages = Packages(manager="apt", installed=(installed,), candidates={}, sources=(), broken=())
    none = KernelModule(
        loaded=Absent("x"),
        on_disk=Absent("y"),
        uvm_loaded=Absent("x"),
        nouveau_loaded=Known(False, ""),
        users=Absent(""),
    )
    assert causes(of(module=Known(none, "modinfo"), packages=Known(packages, "dpkg"))) == expected


def test_uvm_not_loaded() -> None:
    assert causes(of(module=module("580.95.05", uvm=False))) == ["nvidia-uvm-not-loaded"]


def test_the_kernel_log_and_the_api() -> None:
    lost = KernelLine(at=None, text="NVRM: Xid (PCI:0000:01:00): 79, pid=1, name=ollama, GPU has fallen off the bus.")
    model = LoadedModel(
        name="m", digest="a" * 64, size_bytes=10**9, size_vram_bytes=0, context_length=4096, expires_at=""
    )
    api = Api(endpoint="http://x", version=Known("0.30.0", "api"), models=Absent(""), loaded=Known((model,), "api"))
    found = of(kernel_log=Known(KernelLog(lines=(lost,), xids=()), "journalctl -k"), api=Known(api, "api"))
    assert causes(found) == ["gpu-fallen-off-bus"]
    assert found.findings[0].evidence[0].source == "journalctl -k"


def test_almost_all_on_the_gpu_is_not_all() -> None:
    model = LoadedModel(
        name="m", digest="a" * 64, size_bytes=10**9, size_vram_bytes=10**9 - 1, context_length=4096, expires_at=""
    )
    api = Api(endpoint="http://x", version=Known("0.30.0", "api"), models=Absent(""), loaded=Known((model,), "api"))
    assert of(api=Known(api, "api")).verdict == "findings"


def test_what_could_not_be_read_is_said_beside_what_was() -> None:
    line = (
        'time=2026-01-15T10:00:00Z level=INFO source=types.go:42 msg="inference compute" id=0 library=CUDA compute=8.6'
    )
    found = of(journal=Known(Journal(lines=(line,), truncated=False, suppressed=0), "journalctl"))
    assert found.verdict == "unknown"
    assert {unknown.what for unknown in found.unknowns} >= {"pci", "nvml", "kernel log"}


def test_every_section_that_says_something_about_the_gpu_is_used() -> None:
    from ongpu.rules.from_snapshot import _SECTIONS

    assert set(_SECTIONS) == {field.name for field in fields(HostSnapshot)} - {"system", "files", "watch"}


@pytest.mark.parametrize(
    ("rows", "expected"), [([0, 8, 0, 1], {"row-remap-failed"}), ([0, 1, 1, 0], {"ecc-error"}), ([3, 1, 0, 0], set())]
)
def test_rows_of_memory_that_wait_for_replacement_or_have_none(rows: list[int], expected: set[str]) -> None:
    """Correctable, uncorrectable, pending, failure: rows that were replaced are no fault."""
    found = of(nvml=Known(nvml_read.read(Pynvml(DeviceGetRemappedRows=rows)), "NVML"))
    assert {"row-remap-failed", "ecc-error"} & set(causes(found)) == expected


def test_a_module_that_the_next_restart_loads_instead_is_told() -> None:
    coming = DiskModule(name="nvidia", version="580.126.09", flavour="open", path="/lib/modules/nvidia.ko")
    now = module("580.95.05", uvm=True)
    assert causes(of(module=replace(now, value=replace(now.value, on_disk=Known(coming, "modinfo"))))) == [
        "driver-upgrade-pending"
    ]
    same = replace(coming, version="580.95.05")
    assert causes(of(module=replace(now, value=replace(now.value, on_disk=Known(same, "modinfo"))))) == []

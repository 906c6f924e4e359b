"""NVML through a stand-in for pynvml: every value, every error code, every odd answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu.host.gpu import Gpu, GpuProcess, Nvml
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe import nvml_read
from tests.probe.fake_pynvml import MIB, WORDS, NVMLError, Pynvml

NVML_CODES = [*range(1, 29), 999]


def gpus(nvml: Nvml) -> tuple[Gpu, ...]:
    assert isinstance(nvml.gpus, Known), nvml.gpus
    return tuple(nvml.gpus.value)


def processes(nvml: Nvml) -> tuple[GpuProcess, ...]:
    assert isinstance(nvml.processes, Known), nvml.processes
    return tuple(nvml.processes.value)


def known(value: Any) -> Reading[Any]:
    return Known(value, "NVML")


def test_a_gpu_with_everything() -> None:
    found = nvml_read.read(Pynvml(gpus=2))
    assert (found.exit_code, found.message) == (0, "")
    assert (found.driver_version, found.cuda_version) == (known("580.95.05"), known("13.0"))
    first, second = gpus(found)
    info, memory, performance = first.info, first.memory, first.performance
    assert (info.index, info.uuid, info.name) == (0, "GPU-00000000", "NVIDIA H100 80GB HBM3")
    assert (info.pci_address, second.info.pci_address) == ("0000:01:00.0", "0000:02:00.0")
    assert (info.compute_capability, info.persistence, info.mig) == (known("9.0"), known(True), known(False))
    assert (info.compute_mode, info.vbios) == (known("Exclusive_Process"), known("96.00.74.00.01"))
    assert memory.total_bytes == known(80 * 1024 * MIB)
    assert memory.used_bytes == known(5 * MIB), "whole MiB, as nvidia-smi prints it"
    assert (performance.power_watts, performance.power_limit_watts) == (known(71.23), known(700.0))
    assert (performance.sm_clock_mhz, performance.memory_clock_mhz) == (known(1980), known(2619))
    assert (performance.max_sm_clock_mhz, performance.max_memory_clock_mhz) == (known(1981), known(2620))
    assert (performance.utilization_percent, performance.temperature_c) == (known(37), known(31))
    assert (performance.throttle, performance.uncorrected_ecc) == (known(1), known(0))
    assert [(one.pid, one.gpu_uuid) for one in processes(found)] == [(4711, "GPU-00000000"), (4711, "GPU-00000001")]
    assert processes(found)[0].name == "/usr/local/bin/ollama"
    assert processes(found)[0].used_bytes == known(5120 * MIB)


def test_settings_and_what_waits_for_a_reset() -> None:
    (gpu,) = gpus(nvml_read.read(Pynvml(DeviceGetMigMode=[1, 0])))
    settings = gpu.settings
    assert (settings.power_min_watts, settings.power_max_watts) == (known(200.0), known(700.0))
    assert (settings.ecc, settings.ecc_pending) == (known(True), known(False))
    assert (settings.gsp, settings.recovery_action) == (known(True), known("Reset"))
    assert (settings.fabric, settings.fabric_status) == (known("Completed"), known("Success"))
    assert settings.mig_devices == known(("GPU-00001000", "GPU-00001001"))
    assert settings.mig_pending == known(False)
    assert (settings.remap_pending, settings.remap_failed) == (known(True), known(False))


@pytest.mark.parametrize(
    ("code", "kind"), [(3, Absent), (13, Absent), (4, Unreadable), (15, Unreadable), (999, Unreadable)]
)
def test_settings_that_a_gpu_has_not_and_those_that_cannot_be_asked(code: int, kind: type) -> None:
    names = (
        "PowerManagementLimitConstraints",
        "EccMode",
        "RemappedRows",
        "GspFirmwareMode",
        "FieldValues",
        "GpuFabricInfo",
    )
    (gpu,) = gpus(nvml_read.read(Pynvml(**{f"DeviceGet{name}": NVMLError(code) for name in names})))
    settings = gpu.settings
    readings = (
        settings.power_max_watts,
        settings.ecc,
        settings.remap_pending,
        settings.gsp,
        settings.recovery_action,
        settings.fabric,
    )
    assert all(isinstance(reading, kind) for reading in readings), readings
    refused = SimpleNamespace(nvmlReturn=code, value=SimpleNamespace(uiVal=0))
    (gpu,) = gpus(nvml_read.read(Pynvml(DeviceGetFieldValues=[refused])))
    assert isinstance(gpu.settings.recovery_action, kind)


def test_a_gpu_of_no_fabric() -> None:
    (gpu,) = gpus(nvml_read.read(Pynvml(DeviceGetGpuFabricInfo=None)))
    assert isinstance(gpu.settings.fabric, Absent)


def test_virtualization() -> None:
    found = nvml_read.read(Pynvml())
    assert (found.virtualization, isinstance(found.license, Absent)) == (known("none"), True)
    feature = SimpleNamespace(featureState=0)
    features = SimpleNamespace(licensableFeaturesCount=1, gridLicensableFeatures=[feature])
    guest = nvml_read.read(Pynvml(DeviceGetVirtualizationMode=2, DeviceGetGridLicensableFeatures_v4=features))
    assert (guest.virtualization, guest.license) == (known("vgpu"), known("Unlicensed"))


@pytest.mark.parametrize("code", NVML_CODES)
def test_each_code_at_the_start(code: int) -> None:
    fake = Pynvml(Init=NVMLError(code))
    found = nvml_read.read(fake)
    assert found.exit_code == code
    assert found.message.startswith("Failed to initialize NVML: ")
    assert WORDS.get(code, "nvidia-ml-py's words") in found.message
    for reading in (found.gpus, found.processes, found.driver_version, found.cuda_version):
        assert isinstance(reading, Unreadable)
        assert bool(reading.allow) == (code == 4)
    assert "nvmlShutdown" not in fake.calls, "nothing was initialised"


def test_a_version_mismatch_names_the_library() -> None:
    """In nvidia-smi's words, so that a rule need not care who was asked."""
    found = nvml_read.read(Pynvml(Init=NVMLError(18)))
    assert found.message == ("Failed to initialize NVML: Driver/library version mismatch NVML library version: 580.95")
    silent = nvml_read.read(Pynvml(Init=NVMLError(18), SystemGetNVMLVersion=NVMLError(999)))
    assert silent.message == "Failed to initialize NVML: Driver/library version mismatch"


def test_no_gpus() -> None:
    found = nvml_read.read(Pynvml(gpus=0))
    assert (found.exit_code, found.message) == (6, "No devices were found")
    assert (gpus(found), processes(found)) == ((), ())


@pytest.mark.parametrize("call", ["DeviceGetHandleByIndex", "DeviceGetUUID", "DeviceGetPciInfo", "DeviceGetIndex"])
def test_one_lost_gpu_is_not_a_machine_with_fewer(call: str) -> None:
    good = Pynvml()._answers[call]
    fake = Pynvml(gpus=2, **{call: lambda handle: good(handle) if handle == 0 else NVMLError(15)})
    found = nvml_read.read(fake)
    assert found.exit_code == 15
    assert found.message == "Unable to determine the device handle for GPU1: GPU is lost"
    assert isinstance(found.gpus, Unreadable)
    assert isinstance(found.processes, Unreadable)
    assert found.driver_version == known("580.95.05")
    assert fake.calls[-1] == "nvmlShutdown"


def test_nodes_that_may_not_be_opened() -> None:
    found = nvml_read.read(Pynvml(DeviceGetHandleByIndex=NVMLError(4)))
    assert found.exit_code == 4
    assert isinstance(found.gpus, Unreadable)
    assert "/dev/nvidia" in found.gpus.allow


@pytest.mark.parametrize("bus_id", ["", "rubbish", b"\xff"])
def test_a_gpu_without_an_address(bus_id: Any) -> None:
    found = nvml_read.read(Pynvml(DeviceGetPciInfo=SimpleNamespace(busId=bus_id)))
    assert isinstance(found.gpus, Unreadable)
    assert isinstance(found.processes, Unreadable)


def test_what_a_gpu_does_not_have_is_absent_and_what_fails_is_unreadable() -> None:
    missing = nvml_read.read(Pynvml(DeviceGetMigMode=NVMLError(3), DeviceGetTotalEccErrors=NVMLError(13)))
    (gpu,) = gpus(missing)
    assert gpu.info.mig == Absent("NVML: Not Supported")
    assert isinstance(gpu.performance.uncorrected_ecc, Absent)
    failing = nvml_read.read(Pynvml(DeviceGetTemperature=NVMLError(999), DeviceGetPowerUsage=NVMLError(4)))
    (gpu,) = gpus(failing)
    assert gpu.performance.temperature_c == Unreadable("NVML: Unknown Error")
    assert isinstance(gpu.performance.power_watts, Unreadable)
    assert gpu.performance.power_watts.allow


def test_an_old_library_has_no_second_version_of_memory_nor_a_third_of_processes() -> None:
    """470: what is asked is there, with other names."""
    old = SimpleNamespace(total=24 * 1024 * MIB, used=300 * MIB, free=23 * 1024 * MIB)
    fake = Pynvml(
        DeviceGetMemoryInfo=lambda handle, version=None: NVMLError(13) if version else old,
        DeviceGetComputeRunningProcesses_v3=NVMLError(13),
        DeviceGetComputeRunningProcesses_v2=[SimpleNamespace(pid=7, usedGpuMemory=MIB)],
    )
    found = nvml_read.read(fake)
    assert gpus(found)[0].memory.used_bytes == known(300 * MIB)
    assert [one.pid for one in processes(found)] == [7]


def test_unified_memory_is_absent_not_zero() -> None:
    (gpu,) = gpus(nvml_read.read(Pynvml(DeviceGetMemoryInfo=NVMLError(3))))
    assert gpu.memory.total_bytes == Absent("NVML: Not Supported")


@pytest.mark.parametrize("used", [None, 2**64 - 1])
def test_a_process_whose_memory_is_not_told(used: int | None) -> None:
    """MIG, WSL, some containers: NVML_VALUE_NOT_AVAILABLE, of which nvidia-ml-py makes None."""
    row = [SimpleNamespace(pid=1, usedGpuMemory=used)]
    (process,) = processes(nvml_read.read(Pynvml(DeviceGetComputeRunningProcesses_v3=row)))
    assert isinstance(process.used_bytes, Absent)


def test_processes_that_cannot_be_listed_or_named() -> None:
    gone = nvml_read.read(Pynvml(SystemGetProcessName=NVMLError(6)))
    assert processes(gone)[0].name == "[Not Found]"
    blind = nvml_read.read(Pynvml(DeviceGetComputeRunningProcesses_v3=NVMLError(4)))
    assert isinstance(blind.processes, Unreadable)
    assert blind.processes.allow
    unsupported = nvml_read.read(Pynvml(DeviceGetComputeRunningProcesses_v3=NVMLError(3)))
    assert processes(unsupported) == ()


def test_shutdown_after_anything_and_its_failure_is_no_failure() -> None:
    fake = Pynvml(Shutdown=NVMLError(999))
    assert nvml_read.read(fake).exit_code == 0
    assert fake.calls[-1] == "nvmlShutdown"


odd = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.sampled_from(NVML_CODES).map(NVMLError),
)


@given(st.dictionaries(st.sampled_from([name for name in Pynvml()._answers if name.startswith("DeviceGet")]), odd))
def test_any_answer_is_a_reading(answers: dict[str, Any]) -> None:
    """Numbers where text should be, lists where structures should be: never an exception, never a made-up GPU."""
    for name in ("DeviceGetCount", "DeviceGetIndex"):  # plain C integers: they can only fail
        if not isinstance(answers.get(name), NVMLError):
            answers.pop(name, None)
    found = nvml_read.read(Pynvml(**answers))
    assert isinstance(found.gpus, Known | Unreadable)
    assert isinstance(found.processes, Known | Unreadable)

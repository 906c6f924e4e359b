"""What NVML itself says, as the same value that the `nvml` section makes of nvidia-smi's answer. Pure: the module
`pynvml` (nvidia-ml-py) is handed in.

nvidia-smi (535 and 550, recorded) leaves the driver's reserve out of `used`: that is nvmlDeviceGetMemoryInfo_v2. It
prints whole MiB: a process's are rounded down, a GPU's down by 535 and up by 550; here all are rounded down.
`power.limit` is the limit that is set, not the enforced one (nvidia-smi --help-query-gpu).
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from ongpu.host.gpu import Gpu, GpuInfo, GpuMemory, GpuPerformance, GpuProcess, Nvml, pci_address
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.probe.nvml_ask import (
    LIBRARY_NOT_FOUND,
    NO_FUNCTION,
    NOT_FOUND,
    ODD,
    SOURCE,
    VERSION_MISMATCH,
    Asker,
    Pynvml,
    allow_for,
    as_text,
    ask,
    error_words,
    watts,
)
from ongpu.probe.nvml_settings import guest, settings

__all__ = ["LIBRARY_NOT_FOUND", "SOURCE", "read", "silent"]


_COMPUTE_MODES = ("Default", "Exclusive_Thread", "Prohibited", "Exclusive_Process")  # nvmlComputeMode_t, as nvidia-smi
_SM, _MEMORY = 1, 2  # nvmlClockType_t
_UNCORRECTED, _VOLATILE = 1, 0  # nvmlMemoryErrorType_t, nvmlEccCounterType_t
_MEMORY_V2 = 0x02000028  # version and size of nvmlMemory_v2_t
_MIB = 1024 * 1024


def read(nvml: Pynvml) -> Nvml:
    """Everything, between nvmlInit and nvmlShutdown. Any error of NVML becomes a reading, none is raised.

    `exit_code` is NVML's return code where nvidia-smi would have one of its own (255 for codes without one).
    """
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return _refused(nvml, error)
    try:
        return _spoken(nvml)
    finally:
        with suppress(nvml.NVMLError):  # the driver went away while it was looked at: the readings say so
            nvml.nvmlShutdown()


def silent(code: int, words: str) -> Nvml:
    """A driver that refuses as a whole."""
    blind = Unreadable(words, allow_for(code))
    return Nvml(exit_code=code, message=words, driver_version=blind, cuda_version=blind, gpus=blind, processes=blind)


def _refused(nvml: Pynvml, error: Any) -> Nvml:
    words = f"Failed to initialize NVML: {error_words(nvml, error)}"
    if error.value == VERSION_MISMATCH:
        version = ask(nvml, lambda: as_text(nvml.nvmlSystemGetNVMLVersion()))
        if isinstance(version, Known):  # 13.580.95.05: CUDA's major version, then the driver's; nvidia-smi says 580.95
            words += f" NVML library version: {'.'.join(version.value.split('.')[1:3])}"
    return silent(error.value, words)


def _spoken(nvml: Pynvml) -> Nvml:
    driver = ask(nvml, lambda: as_text(nvml.nvmlSystemGetDriverVersion()))
    cuda = ask(nvml, lambda: _cuda(nvml.nvmlSystemGetCudaDriverVersion_v2()))
    found: list[tuple[Gpu, Any]] = []
    code, words = 0, ""
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            found.append((_gpu(nvml, handle), handle))
    except nvml.NVMLError as error:
        # nvidia-smi ends here too: half a list would be taken for a machine with fewer GPUs.
        code, words = (
            error.value,
            f"Unable to determine the device handle for GPU{len(found)}: {error_words(nvml, error)}",
        )
    except ODD as error:
        words = f"GPU {len(found)}: {error}"
    if words:
        blind = Unreadable(f"NVML: {words}", allow_for(code))
        return Nvml(
            exit_code=code, message=words, driver_version=driver, cuda_version=cuda, gpus=blind, processes=blind
        )
    return Nvml(
        exit_code=0 if found else NOT_FOUND,  # as nvidia-smi
        message="" if found else "No devices were found",
        driver_version=driver,
        cuda_version=cuda,
        gpus=Known(tuple(gpu for gpu, _ in found), SOURCE),
        processes=_processes(nvml, found),
        **guest(nvml, found),
    )


def _gpu(nvml: Pynvml, handle: Any) -> Gpu:
    """Raises NVMLError when the GPU does not even say who it is, ValueError when that makes no sense."""
    uuid, bus_id = as_text(nvml.nvmlDeviceGetUUID(handle)), as_text(nvml.nvmlDeviceGetPciInfo(handle).busId)
    address = pci_address(bus_id)
    if address is None or not uuid.startswith("GPU-"):
        raise ValueError(f"unexpected answer {bus_id[:40]!r}, {uuid[:60]!r}")
    ask = Asker(nvml, handle)
    return Gpu(
        info=GpuInfo(
            index=nvml.nvmlDeviceGetIndex(handle),
            uuid=uuid,
            name=as_text(nvml.nvmlDeviceGetName(handle)),
            pci_address=address,
            compute_capability=ask("CudaComputeCapability", lambda pair: f"{pair[0]}.{pair[1]}"),
            persistence=ask("PersistenceMode", bool),
            mig=ask("MigMode", lambda pair: bool(pair[0])),
            compute_mode=ask("ComputeMode", lambda mode: _COMPUTE_MODES[mode]),
            vbios=ask("VbiosVersion", as_text),
        ),
        memory=_memory(ask),
        performance=_performance(ask),
        settings=settings(ask),
    )


def _performance(ask: Asker) -> GpuPerformance:
    return GpuPerformance(
        utilization_percent=ask("UtilizationRates", lambda rates: int(rates.gpu)),
        power_watts=ask("PowerUsage", watts),
        power_limit_watts=ask("PowerManagementLimit", watts),
        temperature_c=ask("Temperature", int, 0),  # NVML_TEMPERATURE_GPU
        sm_clock_mhz=ask("ClockInfo", int, _SM),
        max_sm_clock_mhz=ask("MaxClockInfo", int, _SM),
        memory_clock_mhz=ask("ClockInfo", int, _MEMORY),
        max_memory_clock_mhz=ask("MaxClockInfo", int, _MEMORY),
        throttle=ask("CurrentClocksThrottleReasons", int),  # since 530 also ...EventReasons: the same mask
        pcie_generation=ask("CurrPcieLinkGeneration", int),
        pcie_max_generation=ask("MaxPcieLinkGeneration", int),
        pcie_width=ask("CurrPcieLinkWidth", int),
        pcie_max_width=ask("MaxPcieLinkWidth", int),
        uncorrected_ecc=ask("TotalEccErrors", int, _UNCORRECTED, _VOLATILE),
    )


def _memory(ask: Asker) -> GpuMemory:
    def part(name: str) -> Reading[int]:
        def whole(info: Any) -> int:
            return int(getattr(info, name)) // _MIB * _MIB

        reading = ask("MemoryInfo", whole, _MEMORY_V2)
        if isinstance(reading, Absent) and reading.why == ask.no_function:  # driver 470
            reading = ask("MemoryInfo", whole)
        return reading

    return GpuMemory(total_bytes=part("total"), used_bytes=part("used"), free_bytes=part("free"))


def _processes(nvml: Pynvml, found: list[tuple[Gpu, Any]]) -> Reading[tuple[GpuProcess, ...]]:
    processes: list[GpuProcess] = []
    for gpu, handle in found:
        match ask(nvml, partial(_on_gpu, nvml, gpu, handle)):
            case Known(value=mine):
                processes += mine
            case Absent():
                pass  # this GPU keeps no list; nvidia-smi prints no line for it
            case Unreadable(why=why, allow=allow):
                return Unreadable(f"processes of GPU {gpu.info.index}: {why}", allow)
    return Known(tuple(processes), SOURCE)


def _on_gpu(nvml: Pynvml, gpu: Gpu, handle: Any) -> list[GpuProcess]:
    """Raises NVMLError."""
    return [
        GpuProcess(
            pid=process.pid,
            name=_process_name(nvml, process.pid),
            gpu_uuid=gpu.info.uuid,
            used_bytes=_used(process.usedGpuMemory),
        )
        for process in _running(nvml, handle)
    ]


def _process_name(nvml: Pynvml, pid: int) -> str:
    try:
        return as_text(nvml.nvmlSystemGetProcessName(pid))
    except nvml.NVMLError as error:  # it ended, or belongs to another user
        return f"[{error_words(nvml, error)}]"


def _running(nvml: Pynvml, handle: Any) -> Any:
    """The third version of the call is younger than driver 470."""
    try:
        return nvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)
    except nvml.NVMLError as error:
        if error.value != NO_FUNCTION:
            raise
        return nvml.nvmlDeviceGetComputeRunningProcesses_v2(handle)


def _used(used: int | None) -> Reading[int]:
    """nvidia-ml-py makes None of NVML_VALUE_NOT_AVAILABLE (all ones)."""
    if used is None or used >= 2**64 - 1:
        return Absent("NVML: the driver does not say how much memory a process holds (MIG, WSL, some containers)")
    return Known(used // _MIB * _MIB, SOURCE)


def _cuda(version: int) -> str:
    """13020 -> 13.2"""
    return f"{version // 1000}.{version % 1000 // 10}"

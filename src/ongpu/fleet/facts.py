"""From a snapshot, for reports and history: each GPU's memory, and the facts that may explain a change of verdict."""

from __future__ import annotations

from collections import Counter

from ongpu.host.gpu import Gpu, GpuProcess, Nvml
from ongpu.host.ollama import Service
from ongpu.host.reading import Known, Reading, value_or_none
from ongpu.host.result import Device
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.vram import Split, splits


def devices_of(snapshot: HostSnapshot | None) -> tuple[Device, ...]:
    """One entry per GPU that the driver talks to, in the driver's order; empty when it was not read."""
    nvml = value_or_none(snapshot.nvml) if snapshot else None
    gpus = value_or_none(nvml.gpus) if nvml else None
    if snapshot is None or nvml is None or not gpus:
        return ()
    runners, parts = _runner_pids(snapshot), splits(snapshot)
    return tuple(_device(gpu, nvml, runners, parts.get(gpu.info.uuid)) for gpu in gpus)


def _device(gpu: Gpu, nvml: Nvml, runners: frozenset[int] | None, split: Split | None) -> Device:
    return Device(
        index=gpu.info.index,
        uuid=gpu.info.uuid,
        name=gpu.info.name,
        total_bytes=value_or_none(gpu.memory.total_bytes),
        used_bytes=value_or_none(gpu.memory.used_bytes),
        models_bytes=_held(gpu.info.uuid, nvml.processes, runners),
        weights_bytes=split.weights_bytes if split else None,
        kv_bytes=split.kv_bytes if split else None,
        compute_bytes=split.compute_bytes if split else None,
    )


def _held(uuid: str, processes: Reading[tuple[GpuProcess, ...]], runners: frozenset[int] | None) -> int | None:
    """None as soon as one part of the sum is not known."""
    if runners is None or not isinstance(processes, Known):
        return None
    sizes = [value_or_none(one.used_bytes) for one in processes.value if one.gpu_uuid == uuid and one.pid in runners]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _runner_pids(snapshot: HostSnapshot) -> frozenset[int] | None:
    service = value_or_none(snapshot.service)
    runners = value_or_none(service.runners) if service else None
    return None if runners is None else frozenset(runner.process.pid for runner in runners)


def facts_of(snapshot: HostSnapshot | None) -> dict[str, str]:
    """Only what is known. `driver` is the loaded module's version, `driver_library` that of user space's libraries:
    they differ after an upgrade without a reboot."""
    if snapshot is None:
        return {}
    found: dict[str, str | None] = {}
    if system := value_or_none(snapshot.system):
        found |= {
            "os": system.os_name,
            "kernel": system.kernel,
            "boot_id": value_or_none(system.boot_id),
        }
    if module := value_or_none(snapshot.module):
        loaded = value_or_none(module.loaded)
        found["driver"] = loaded.version if loaded else None
    if libraries := value_or_none(snapshot.libraries):
        library = value_or_none(libraries.nvml)
        found["driver_library"] = library.version if library else None
    if nvml := value_or_none(snapshot.nvml):
        found["cuda"] = value_or_none(nvml.cuda_version)
    if api := value_or_none(snapshot.api):
        found["ollama"] = value_or_none(api.version)
    if service := value_or_none(snapshot.service):
        found |= _service(service)
    return {name: value for name, value in found.items() if value}


def _service(service: Service) -> dict[str, str | None]:
    started = value_or_none(service.started_at)
    return {
        "service": service.active_state,
        "service_started_at": started.isoformat(timespec="seconds") if started else None,
        "context_length": service.environment.get("OLLAMA_CONTEXT_LENGTH"),
    }


def gpus_of(snapshot: HostSnapshot | None) -> str:
    """`2 x NVIDIA L4 23 GB` from NVML, `1 on the bus, no driver` from sysfs, or empty."""
    match snapshot:
        case HostSnapshot(nvml=Known(value=nvml)) if isinstance(nvml.gpus, Known) and nvml.gpus.value:
            names = Counter(
                gpu.info.name.removeprefix("NVIDIA ")
                + (
                    f" {gpu.memory.total_bytes.value / 2**30:.0f} GB"
                    if isinstance(gpu.memory.total_bytes, Known)
                    else ""
                )
                for gpu in nvml.gpus.value
            )
            return ", ".join(f"{count} x {name}" for name, count in names.items())
        case HostSnapshot(pci=Known(value=gpus)):
            return f"{len(gpus)} on the bus, driver not answering" if gpus else "none on the bus"
        case _:
            return ""

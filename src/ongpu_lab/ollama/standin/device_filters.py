"""Which of the found devices are used: driver floors, integrated GPUs, overlapping libraries, duplicates."""

from __future__ import annotations

from . import envconfig, golog
from .device import Device


def driver_new_enough(device: Device) -> bool:
    """discover/cuda_compat.go: the floors hold for cuda_v12 only."""
    if device.directory.name != "cuda_v12" or device.library != "CUDA":
        return True
    if not device.branch:
        golog.warn("cuda_compat.go:60", "could not verify NVIDIA driver compatibility for CUDA")
        return True
    required = (
        "550 or newer"
        if device.branch < 550
        else "570 or newer"
        if device.branch < 570 and device.compute[0] < 7
        else ""
    )
    if required:
        golog.warn(
            "cuda_compat.go:44",
            "NVIDIA driver too old",
            device=device.name,
            compute=f"{device.compute[0]}.{device.compute[1]}",
            driver=device.branch,
            required_driver=required,
        )
    return not required


def wanted_igpu(device: Device) -> bool:
    if not device.integrated:
        return True
    enabled = envconfig.tristate("OLLAMA_IGPU_ENABLE")
    if enabled is None:
        enabled = device.library == "CUDA"
    if not enabled:
        golog.info(
            "runner.go:160",
            "dropping integrated GPU; to enable, set OLLAMA_IGPU_ENABLE=1",
            id=device.index,
            library=device.library,
            compute=f"{device.compute[0]}.{device.compute[1]}",
            name=device.name,
            description=device.description,
            pci_id=device.pci_id,
        )
    return enabled


def newest_library(devices: list[Device]) -> list[Device]:
    """cuda_v12 against cuda_v13: the newest directory that covers all devices, else the oldest where it can."""
    names = sorted({device.directory.name for device in devices if device.library == "CUDA"})
    if len(names) < 2:
        return devices
    covered = {name: {device.pci_id for device in devices if device.directory.name == name} for name in names}
    everything = set().union(*covered.values())
    kept = names[-1] if covered[names[-1]] == everything else names[0]
    result = []
    for device in devices:
        other = device.library == "CUDA" and device.directory.name != kept
        if other and device.pci_id in covered[kept]:
            golog.debug(
                "runner.go:220",
                "filtering device with overlapping libraries",
                id=device.index,
                library=device.directory,
                kept_library=kept,
            )
        else:
            result.append(device)
    return result


def drop_duplicates(devices: list[Device]) -> list[Device]:
    cuda = {device.pci_id for device in devices if device.library == "CUDA"}
    kept = [device for device in devices if device.library == "CUDA" or device.pci_id not in cuda]
    for device in (device for device in devices if device not in kept):
        golog.debug(
            "runner.go:250", "dropping duplicate device", id=device.index, library=device.library, pci_id=device.pci_id
        )
    return kept

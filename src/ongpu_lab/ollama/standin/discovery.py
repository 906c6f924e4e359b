"""Finding GPUs as discover/runner.go does: a first pass for each backend directory, filters, a second pass."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from . import envconfig, gojson, golog, layout
from .device import Device, child_environment
from .device_filters import driver_new_enough, drop_duplicates, newest_library, wanted_igpu
from .first_pass import DEVICE, FIRST_TIMEOUT, first_pass, list_devices
from .parallel import side_by_side

REFRESH_TIMEOUT = 3.0
VISIBILITY = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "GGML_VK_VISIBLE_DEVICES",
    "HSA_OVERRIDE_GFX_VERSION",
)


def discover() -> list[Device]:
    """All usable GPUs, best first. Logs what the real discovery logs."""
    start = time.monotonic()
    golog.info("runner.go:60", "discovering available GPUs...")
    overrides = [key for key in VISIBILITY if envconfig.var(key)]
    for key in overrides:
        golog.warn("runner.go:722", "user overrode visible devices", **{key: envconfig.var(key)})
    if overrides:
        golog.warn("runner.go:726", "if GPUs are not correctly discovered, unset and try again")
    directories = _wanted(layout.backends())
    if not directories:
        first_pass(None)
    devices = [device for directory in directories for device in first_pass(directory)]
    golog.debug("runner.go:131", "evaluating which, if any, devices to filter out", initial_count=len(devices))
    devices = [device for device in devices if driver_new_enough(device) and wanted_igpu(device)]
    devices = drop_duplicates(newest_library(_validated(devices)))
    devices.sort(key=lambda device: (device.integrated, -device.free))
    golog.debug("runner.go:42", "GPU bootstrap discovery took", duration=gojson.duration(time.monotonic() - start))
    return devices


def _wanted(directories: list[Path]) -> list[Path]:
    wanted = []
    library = envconfig.var("OLLAMA_LLM_LIBRARY")
    for directory in directories:
        if library and directory.name != library:
            golog.debug(
                "runner.go:101", "skipping available library at user's request", requested=library, libDir=directory
            )
        elif "jetpack" in directory.name:
            golog.debug(
                "runner.go:109",
                "jetpack not detected (set JETSON_JETPACK or OLLAMA_LLM_LIBRARY to override), skipping",
                libDir=directory,
            )
        elif "vulkan" not in directory.name or envconfig.boolean("OLLAMA_VULKAN", True):
            wanted.append(directory)
    return wanted


def _validated(devices: list[Device]) -> list[Device]:
    """The second pass: every CUDA device must show itself alone."""
    cuda = [device for device in devices if device.library == "CUDA"]
    if not cuda:
        return devices

    def shows(device: Device) -> bool:
        extra = {"CUDA_VISIBLE_DEVICES": device.filter_id, "GGML_CUDA_INIT": "1"}
        server = layout.llama_server()
        return bool(DEVICE.search(list_devices(server, child_environment(device.directory, extra), FIRST_TIMEOUT)))

    good = dict(zip(cuda, side_by_side([partial(shows, device) for device in cuda]), strict=True))
    for device in (device for device, shown in good.items() if not shown):
        golog.debug(
            "runner.go:190",
            "filtering device which didn't fully initialize",
            id=device.index,
            libdir=device.directory,
            pci_id=device.pci_id,
            library=device.library,
        )
    return [device for device in devices if good.get(device, True)]


def refresh(devices: list[Device]) -> list[Device]:
    """The same devices with the memory that is free now; the old values where the driver no longer answers."""
    if not devices:
        return devices
    start = time.monotonic()
    golog.debug("runner.go:272", "refreshing free memory")
    fresh: dict[tuple[Path, int], int] = {}
    for directory in {device.directory for device in devices}:
        try:
            table = list_devices(layout.llama_server(), child_environment(directory), REFRESH_TIMEOUT)
        except (subprocess.TimeoutExpired, FileNotFoundError):
            table = ""
        fresh |= {(directory, int(number)): int(free) << 20 for _, number, _, _, free in DEVICE.findall(table)}
    if any((device.directory, device.index) not in fresh for device in devices):
        golog.warn("runner.go:350", "unable to refresh free memory, using old values")
    golog.debug(
        "runner.go:42", "overall device VRAM discovery took", duration=gojson.duration(time.monotonic() - start)
    )
    return [replace(device, free=fresh.get((device.directory, device.index), device.free)) for device in devices]

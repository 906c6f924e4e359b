"""NVIDIA GPUs as seen from the PCI bus, the kernel module, user space, the device nodes and NVML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ongpu.host.reading import NOT_LOOKED, Reading

Flavour = Literal["open", "proprietary", "unknown"]
LibraryPlace = Literal["LD_LIBRARY_PATH", "ldconfig", "disk"]

# 00000000:01:00.0 (nvidia-smi)   0000:01:00.0 (sysfs)   PCI:0000:01:00 (NVRM)   01:00.0 (lspci)
_PCI = re.compile(r"(?:PCI:)?(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})(?:\.([0-7]))?", re.IGNORECASE)


def pci_address(text: str) -> str | None:
    """Any tool's spelling of a PCI address as sysfs has it: `0000:01:00.0`. None if it is none."""
    found = _PCI.fullmatch(text.strip())
    if not found:
        return None
    domain, bus, device, function = found.groups()
    return f"{int(domain or '0', 16):04x}:{bus}:{device}.{function or '0'}".lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class PciGpu:
    """An NVIDIA display or 3D controller in sysfs; `address` like `0000:01:00.0`, ids like `0x2882`."""

    address: str
    device_id: str
    subsystem_id: str
    pci_class: str
    driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModule:
    version: str
    flavour: Flavour


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskModule:
    """The module that `modprobe nvidia` would load for the running kernel. `name` may be `nvidia-current`."""

    name: str
    version: str
    flavour: Flavour
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelModule:
    loaded: Reading[LoadedModule]
    on_disk: Reading[DiskModule]
    uvm_loaded: Reading[bool]
    nouveau_loaded: Reading[bool]
    users: Reading[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A library on the loader path: the soname's path, the file it resolves to, and the version in that name.

    `version` is empty when the file's name carries none (a library that no driver package installed).
    """

    path: str
    resolved: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLibrary:
    """Any libcuda or libnvidia-ml on disk. `place` says how a program would come to it.

    `LD_LIBRARY_PATH` (of ollama.service), `ldconfig` (the loader's cache), or `disk` (a well-known directory that is
    on neither: harmless until something puts it there). `owner` is the package; Absent = no package (a .run
    installation, a copy by hand).
    """

    path: str
    resolved: str
    version: str
    place: LibraryPlace
    owner: Reading[str]

    @property
    def kind(self) -> Literal["driver", "stub", "compat", "wsl"]:
        """By where it lies: a CUDA toolkit's stub (only for linking), cuda-compat's, WSL's, else a driver's."""
        for path in (self.path, self.resolved):
            if "/stubs/" in path:
                return "stub"
            if "/compat/" in path:
                return "compat"
            if path.startswith("/usr/lib/wsl/"):
                return "wsl"
        return "driver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """`nvml` and `cuda` are the loader's first hits; `found` is every one that was seen, first come first.

    `configured` are lines of ld.so.conf.d that lead to directories of CUDA or NVIDIA, as `FILE: DIRECTORY`.
    """

    nvml: Reading[Library]
    cuda: Reading[Library]
    found: Reading[tuple[FoundLibrary, ...]] = NOT_LOOKED
    configured: Reading[tuple[str, ...]] = NOT_LOOKED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    path: str
    mode: str
    owner: str
    group: str
    major: int
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNodes:
    """`service_user` is who runs ollama.service; `mode` like `0666`.

    `service_user_may_open` = read and write on every node it needs that is there; the source names a node that
    it may not open. Absent without nodes or service.
    """

    nodes: tuple[DeviceNode, ...]
    service_user: Reading[str]
    service_user_may_open: Reading[bool]

    def find(self, path: str) -> DeviceNode | None:
        return next((node for node in self.nodes if node.path == path), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuInfo:
    index: int
    uuid: str
    name: str
    pci_address: str
    compute_capability: Reading[str]
    persistence: Reading[bool]
    mig: Reading[bool]
    compute_mode: Reading[str]
    vbios: Reading[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuMemory:
    """Bytes of frame buffer. `used_bytes` as the driver reports it (it may include its own reserve)."""

    total_bytes: Reading[int]
    used_bytes: Reading[int]
    free_bytes: Reading[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPerformance:
    """Percent, watts, degrees Celsius, MHz. `throttle` is NVML's bit mask of clock event reasons."""

    utilization_percent: Reading[int]
    power_watts: Reading[float]
    power_limit_watts: Reading[float]
    temperature_c: Reading[int]
    sm_clock_mhz: Reading[int]
    max_sm_clock_mhz: Reading[int]
    memory_clock_mhz: Reading[int]
    max_memory_clock_mhz: Reading[int]
    throttle: Reading[int]
    pcie_generation: Reading[int]
    pcie_max_generation: Reading[int]
    pcie_width: Reading[int]
    pcie_max_width: Reading[int]
    uncorrected_ecc: Reading[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSettings:
    """What an administrator may set on a GPU, its limits, and what waits for a reset. Watts.

    `recovery_action` is what the driver asks for (`None`, `Reset`, `Reboot`, `Drain P2P`, `Drain and Reset`); drivers
    before 565 do not say. `fabric` is the NVSwitch fabric's state (`Completed`, `In Progress`, `Not Started`); Absent
    on GPUs without one. `mig_devices` are UUIDs. `remap_pending`: bad rows of memory are replaced at the next reset;
    `remap_failed`: none is left to replace them; Absent on GPUs that replace no rows (before Ampere). Locked clocks
    cannot be read back: NVML has no getter for them.
    """

    power_default_watts: Reading[float] = NOT_LOOKED
    power_min_watts: Reading[float] = NOT_LOOKED
    power_max_watts: Reading[float] = NOT_LOOKED
    ecc: Reading[bool] = NOT_LOOKED
    ecc_pending: Reading[bool] = NOT_LOOKED
    mig_pending: Reading[bool] = NOT_LOOKED
    mig_devices: Reading[tuple[str, ...]] = NOT_LOOKED
    gsp: Reading[bool] = NOT_LOOKED
    recovery_action: Reading[str] = NOT_LOOKED
    remap_pending: Reading[bool] = NOT_LOOKED
    remap_failed: Reading[bool] = NOT_LOOKED
    fabric: Reading[str] = NOT_LOOKED
    fabric_status: Reading[str] = NOT_LOOKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU that NVML can talk to."""

    info: GpuInfo
    memory: GpuMemory
    performance: GpuPerformance
    settings: GpuSettings = GpuSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A compute process on a GPU. `used_bytes` is Absent where the driver says N/A (MIG, WSL, containers)."""

    pid: int
    name: str
    gpu_uuid: str
    used_bytes: Reading[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvml:
    """What NVML says, through nvidia-smi or pynvml.

    `exit_code` is nvidia-smi's, or the NVML return code with pynvml (0 = fine); `message` its words when it
    failed. "No devices were found" (6) is `gpus=Known(())`; a driver that does not answer is `Unreadable`. Without
    a loaded kernel module nobody is asked, because asking as root could create device nodes or load the module:
    that is 9 (driver not loaded) too, and `message` says so. `virtualization` is NVML's word for the first GPU
    (`none`, `pass-through`, `vgpu`, `host vgpu`, `host vsga`), `license` a vGPU guest's license state.
    """

    exit_code: int
    message: str
    driver_version: Reading[str]
    cuda_version: Reading[str]
    gpus: Reading[tuple[Gpu, ...]]
    processes: Reading[tuple[GpuProcess, ...]]
    virtualization: Reading[str] = NOT_LOOKED
    license: Reading[str] = NOT_LOOKED

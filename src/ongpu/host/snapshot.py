"""One host at one moment: the value that plan, proof, rules and reports work on."""

from __future__ import annotations

from dataclasses import dataclass

from ongpu.host.boot import Kernels, SecureBoot
from ongpu.host.cuda import CudaInit
from ongpu.host.gpu import DeviceNodes, KernelModule, Libraries, Nvml, PciGpu
from ongpu.host.ollama import Api, Journal, OllamaInstall, Service
from ongpu.host.platform import Fabric, Installers, Platform
from ongpu.host.reading import NOT_LOOKED, Reading, Unreadable
from ongpu.host.system import KernelLog, ManagedFiles, Packages, System
from ongpu.host.use import DriverUse, Modprobe
from ongpu.host.watch import WatchState


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSnapshot:
    """One field per probe section; the probe fills a field by the section's name."""

    system: Reading[System]
    pci: Reading[tuple[PciGpu, ...]]
    module: Reading[KernelModule]
    libraries: Reading[Libraries]
    packages: Reading[Packages]
    nodes: Reading[DeviceNodes]
    nvml: Reading[Nvml]
    kernel_log: Reading[KernelLog]
    ollama: Reading[OllamaInstall]
    service: Reading[Service]
    api: Reading[Api]
    journal: Reading[Journal]
    files: Reading[ManagedFiles]
    secure_boot: Reading[SecureBoot] = NOT_LOOKED
    kernels: Reading[Kernels] = NOT_LOOKED
    modprobe: Reading[Modprobe] = NOT_LOOKED
    use: Reading[DriverUse] = NOT_LOOKED
    watch: Reading[WatchState] = NOT_LOOKED
    platform: Reading[Platform] = NOT_LOOKED
    fabric: Reading[Fabric] = NOT_LOOKED
    installers: Reading[Installers] = NOT_LOOKED
    cuda: Reading[CudaInit] = NOT_LOOKED

    @classmethod
    def unreadable(cls, why: str, allow: str = "") -> HostSnapshot:
        """A host that could not be read at all: every section says why."""
        blind = Unreadable(why, allow)
        return cls(**dict.fromkeys(cls.__dataclass_fields__, blind))

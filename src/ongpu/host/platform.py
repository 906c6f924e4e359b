"""What kind of machine this is where that decides who looks after the GPU driver; how the driver came to be there."""

from __future__ import annotations

from dataclasses import dataclass

from ongpu.host.reading import NOT_LOOKED, Absent, Known, Reading, Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Systems whose driver does not come from packages of the host.

    `jetson` is the board's model or L4T release, `wsl` the kernel's name, `immutable` the kind of system (`ostree`,
    `transactional-update`, `NixOS`, `/usr is read-only`), `vgpu_guest` the sign of NVIDIA's GRID guest driver. Absent =
    looked, and it is none.
    """

    jetson: Reading[str]
    wsl: Reading[str]
    immutable: Reading[str]
    vgpu_guest: Reading[str]

    @property
    def left_alone(self) -> str:
        """Why ongpu installs no driver here, in one phrase; empty on an ordinary host."""
        match self.jetson, self.wsl, self.vgpu_guest, self.immutable:
            case Known(value=what), _, _, _:
                return f"this is a Jetson ({what}): its driver belongs to JetPack"
            case _, Known(value=what), _, _:
                return f"this is WSL ({what}): its driver is that of Windows"
            case _, _, Known(value=what), _:
                return f"this is a vGPU guest ({what}): its driver must match that of the hypervisor"
            case _, _, _, Known(value=what):
                return f"this system is changed only as a whole ({what}): its driver belongs into its image"
            case _:
                return ""

    @property
    def unknown(self) -> Unreadable | None:
        """The first of the four that could not be looked at."""
        readings = (self.jetson, self.wsl, self.immutable, self.vgpu_guest)
        return next((reading for reading in readings if isinstance(reading, Unreadable)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticUpgrades:
    """A program that upgrades packages by itself. `excluded` are its patterns of packages to leave alone."""

    tool: str
    active: bool
    excluded: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """Traces of NVIDIA's .run installer that no package owns. `version` as in its log, or empty."""

    uninstaller: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installers:
    """Who else installs driver files on this host."""

    automatic: Reading[tuple[AutomaticUpgrades, ...]]
    runfile: Reading[RunFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricManager:
    """nvidia-fabricmanager: `version` of the program, `state` as systemd's ActiveState (`active`, `failed`)."""

    version: Reading[str]
    state: str
    enabled: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsUnit:
    """ongpu-gpu.service: systemd's ActiveState, UnitFileState and Result."""

    state: str
    enabled: str
    result: str
    needs_reload: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """The NVSwitch fabric. `switches` are NVSwitch devices on the PCI bus; `managed_by_nic` = NVLink 5, where a
    ConnectX bridge manages them (its VPD has SW_MNG). `manager` is Absent when fabric manager is not installed.
    `persistenced` is that unit's ActiveState, empty without it; whether persistence is on is NVML's to say.
    `settings_unit` is the unit of ours that sets what is declared.
    """

    switches: Reading[tuple[str, ...]]
    managed_by_nic: Reading[bool]
    manager: Reading[FabricManager]
    persistenced: Reading[str]
    settings_unit: Reading[SettingsUnit] = NOT_LOOKED

    @property
    def needs_manager(self) -> Reading[bool]:
        """Whether CUDA on this host waits for fabric manager."""
        match self.switches, self.managed_by_nic:
            case Known(value=found), _ if found:
                return Known(True, "NVSwitch on the PCI bus")
            case _, Known(value=True):
                return Known(True, "SW_MNG in a network card's VPD")
            case Unreadable() as blind, _:
                return blind
            case _, Unreadable() as blind:
                return blind
            case Absent() as other, _:
                return Known(False, other.why)
            case _, _:
                return Known(False, "no NVSwitch on the PCI bus")

"""Who uses the GPU driver, and what keeps its modules from being loaded or unloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ongpu.host.reading import Known, Reading, Unreadable

RIVALS = ("nouveau", "nova_core", "nova_drm", "nvidiafb", "rivafb")  # kernel drivers that take NVIDIA GPUs


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A process with an open NVIDIA device. `unit` is systemd's (`ollama.service`, `docker-….scope`), or empty."""

    pid: int
    name: str
    unit: str
    cgroup: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleUse:
    """A loaded module of the driver: its reference count, and the modules that hold it.

    `references - len(holders)` are references of programs and of the kernel itself (a console).
    """

    references: int
    holders: tuple[str, ...]

    @property
    def by_programs(self) -> int:
        return max(self.references - len(self.holders), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrmNode:
    """A node of /dev/dri: the PCI address of its device, and the kernel driver."""

    path: str
    pci_address: str
    driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverUse:
    """`modules` are the driver's loaded ones by name. `framebuffers` are the kernel's names for consoles on a screen
    (`nvidia-drmdrmfb`, `nouveaudrmfb`, `astdrmfb`). `rivals` = loaded modules of RIVALS."""

    modules: Reading[Mapping[str, ModuleUse]]
    clients: Reading[tuple[Client, ...]]
    drm: Reading[tuple[DrmNode, ...]]
    framebuffers: Reading[tuple[str, ...]]
    rivals: Reading[tuple[str, ...]]

    @property
    def console(self) -> Reading[bool]:
        """Whether the kernel's console is drawn by the GPU's driver, which then cannot be unloaded."""
        match self.framebuffers:
            case Known(value=names, source=source):
                return Known(any(name.startswith(("nvidia", "nouveau")) for name in names), source)
            case blind:
                return blind if isinstance(blind, Unreadable) else Known(False, blind.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModprobeLine:
    """A line about these modules in an effective file of modprobe.d; words as in modprobe.d(5)."""

    path: str
    verb: str
    module: str
    rest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Modprobe:
    """What modprobe's configuration and the kernel's command line say about NVIDIA's modules and their rivals.

    `parameters` are the words of /proc/cmdline that matter to GPU drivers.
    """

    lines: tuple[ModprobeLine, ...]
    parameters: Reading[tuple[str, ...]]

    def blocked_by(self, module: str) -> str:
        """The file or kernel parameter that keeps `module` from being loaded for its device; empty if there is none."""
        name = module.replace("-", "_")
        for line in self.lines:
            if line.module.replace("-", "_") != name:
                continue
            never = line.verb == "install" and line.rest.split(" ")[0] in ("/bin/false", "/bin/true", "/usr/bin/false")
            if line.verb == "blacklist" or (line.verb == "alias" and line.rest == "off") or never:
                return line.path
        for word in self.parameters.value if isinstance(self.parameters, Known) else ():
            key, _, value = word.partition("=")
            if key in _KEYS and name in value.replace("-", "_").split(","):
                return f"kernel parameter {key}"
        return ""


_KEYS = ("modprobe.blacklist", "module_blacklist", "rd.driver.blacklist", "rdblacklist")

"""The machine under the GPU: operating system, kernel, clock, tools, package state, our own files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ongpu.host.reading import Reading

# NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (...)
_LOADED = re.compile(r"NVRM: loading NVIDIA UNIX")


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Free and total space of the file system that holds `path`, in bytes."""

    path: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """`os_id`/`os_version` as in /etc/os-release (`debian`, `12`); `arch` as in `uname -m`.

    `disks` has every mount of a real file system, and the directories that we write to. `tools` has every command
    that the probe looks for, True where it is there. `virtualization` is systemd-detect-virt's word (`none`, `kvm`).
    """

    hostname: str
    os_id: str
    os_version: str
    os_name: str
    os_like: tuple[str, ...]
    kernel: str
    arch: str
    boot_id: Reading[str]
    booted_at: Reading[datetime]
    clock: datetime
    user: str
    uid: int
    virtualization: Reading[str]
    memory_bytes: Reading[int]
    disks: tuple[Disk, ...]
    tools: Mapping[str, bool]
    init_systemd: bool
    reboot_required: bool

    @property
    def is_root(self) -> bool:
        return self.uid == 0

    def disk_of(self, path: str) -> Disk | None:
        """The disk that holds `path`, also when `path` is not there yet."""
        holders = [disk for disk in self.disks if disk.path == "/" or f"{path}/".startswith(f"{disk.path}/")]
        return max(holders, key=lambda disk: len(disk.path), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One installed (or half-installed) package. `status` is dpkg's abbreviation (`ii`, `iF`, `hi`), `rpm`,
    or `dup` for one of two versions that an interrupted rpm transaction has left."""

    name: str
    version: str
    status: str
    held: bool

    @property
    def is_sound(self) -> bool:
        return self.status in ("ii", "hi", "rpm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """GPU-related packages, and those that ongpu's work needs.

    `manager` is `apt`, `dnf`, `yum`, `zypper` or `rpm`. `candidates` maps a package to the version that apt would
    install now; on rpm hosts, where asking takes seconds, to the newest one in the declared branch that the repository
    had when ongpu last asked it. `sources` are those that carry NVIDIA packages, like
    `http://mirror.example/debian bookworm/non-free`. `broken` = every package that is left half-installed.
    """

    manager: str
    installed: tuple[Package, ...]
    candidates: Mapping[str, str]
    sources: tuple[str, ...]
    broken: tuple[str, ...]

    def find(self, name: str) -> Package | None:
        return next((package for package in self.installed if package.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedFile:
    """A file that ongpu writes. `content` only for small text files; `ours` = our header line is in it."""

    path: str
    sha256: str
    mode: str
    owner: str
    group: str
    ours: bool
    content: Reading[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedFiles:
    """Each path of `ongpu.host.paths.MANAGED`: what is there."""

    files: Mapping[str, Reading[ManagedFile]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelLine:
    """One NVRM/Xid/nouveau line of this boot's kernel log."""

    at: datetime | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid:
    """An NVRM Xid error. `pci` as in sysfs (`0000:01:00.0`); `text` is what follows the code."""

    at: datetime | None
    pci: str
    code: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelLog:
    """What the kernel said about GPUs since boot. `dropped` = lines left out of the middle of a flood."""

    lines: tuple[KernelLine, ...]
    xids: tuple[Xid, ...]
    dropped: int = 0

    @property
    def module_loaded_at(self) -> datetime | None:
        """When the NVIDIA module was loaded last in this boot; None if the line is gone."""
        return max((line.at for line in self.lines if line.at and _LOADED.search(line.text)), default=None)

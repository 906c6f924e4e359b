"""What decides which modules a kernel may load and which kernel comes next: firmware, installed kernels, DKMS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ongpu.host.gpu import Flavour
from ongpu.host.reading import Absent, Known, Reading, Unreadable

SecureBootMode = Literal["enabled", "disabled", "setup"]
DkmsState = Literal["added", "built", "installed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A certificate on this host that DKMS or akmods signs modules with; `enrolled` = the firmware's MOK list has it.

    `pending` = its enrolment was asked for and waits for the console at the next boot.
    """

    path: str
    enrolled: Reading[bool]
    pending: Reading[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureBoot:
    """Secure Boot of a host that was booted through EFI (others: the reading is Absent).

    `setup` = the firmware is in setup mode and enforces nothing. `shim_validation` False = `mokutil
    --disable-validation` was used. `lockdown` is the kernel's word: `none`, `integrity` or `confidentiality`.
    `sig_enforce` = the kernel was told to refuse unsigned modules. `enrolled` = subjects of the MOK list.
    """

    mode: Reading[SecureBootMode]
    shim_validation: Reading[bool]
    lockdown: Reading[str]
    sig_enforce: Reading[bool]
    enrolled: Reading[tuple[str, ...]]
    keys: tuple[SigningKey, ...]

    @property
    def refuses_unsigned(self) -> Reading[bool]:
        """Whether a kernel of this boot chain refuses modules without a known signature.

        True as soon as one of the four says so: what is off in this kernel (an own build without lockdown) may be on
        in the next one. False only when the firmware was read and nothing says so.
        """
        for reading, source in ((self.sig_enforce, "module.sig_enforce"), (self.lockdown, "kernel lockdown")):
            if isinstance(reading, Known) and reading.value not in (False, "none"):
                return Known(True, source)
        match self.mode, self.shim_validation:
            case Known(value="enabled"), Known(value=False):
                return Known(False, "Secure Boot is on, but validation is off in shim")
            case Known(value="enabled"), _:
                return Known(True, "Secure Boot")
            case Known(value=mode), _:
                return Known(False, f"Secure Boot is {'in setup mode' if mode == 'setup' else 'off'}")
            case Absent() as other, _:
                return Unreadable(other.why)
            case Unreadable() as other, _:
                return other


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFile:
    """The file that `modprobe nvidia` would load under one kernel (modules.dep). `name` may be `nvidia-current`.

    `signer` is the signing certificate's name; Absent = the module has no signature. `sig_key` is that key's id.
    """

    path: str
    name: str
    version: str
    flavour: Flavour
    signer: Reading[str]
    sig_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledKernel:
    """A kernel on disk. `bootable` = its image is there; `headers` = modules can be built for it.

    `module` is Absent when no NVIDIA module is installed for it.
    """

    release: str
    bootable: bool
    headers: bool
    module: Reading[ModuleFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class DkmsBuild:
    """What DKMS has of an NVIDIA module; `kernel` is empty when it is only `added` (built for no kernel)."""

    name: str
    version: str
    kernel: str
    state: DkmsState


@dataclass(frozen=True, slots=True, kw_only=True)
class DkmsFailure:
    """A build that failed and was not repeated with success. `lines` are what make.log says about errors."""

    name: str
    version: str
    kernel: str
    log: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """Installed kernels, oldest first. `next_boot` is Absent where no kernel image is installed (containers)."""

    running: str
    next_boot: Reading[str]
    installed: tuple[InstalledKernel, ...]
    dkms: tuple[DkmsBuild, ...]
    failures: tuple[DkmsFailure, ...]

    def find(self, release: str) -> InstalledKernel | None:
        return next((kernel for kernel in self.installed if kernel.release == release), None)

    def failure(self, release: str) -> DkmsFailure | None:
        return next((failure for failure in self.failures if failure.kernel == release), None)


_PARTS = re.compile(r"\d{1,18}|[a-zA-Z~+]+")


def release_order(release: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key for kernel releases of one distribution: `6.1.0-9-amd64` before `6.1.0-56-amd64`."""
    parts = _PARTS.findall(release[:200])
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts)

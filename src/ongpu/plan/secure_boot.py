"""Secure Boot: a module whose key the firmware does not know is not loaded, however often the host reboots.

Only the console can enrol a key (MokManager, at the next boot), so ongpu stops and says what is to be done.
"""

from __future__ import annotations

from ongpu.host.boot import ModuleFile, SecureBoot, SigningKey
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.plan.context import Context, Halt, because, known
from ongpu.plan.driver_state import DriverState

# Where DKMS and akmods put what was built on this host; everything else came signed in a package.
_BUILT_HERE = ("/updates/", "/extra/", "/weak-updates/")


def require_loadable(context: Context, state: DriverState) -> None:
    """Raises Halt("unsupported") for a module on disk that this kernel would reject, with the steps that enrol its
    key; Halt("unknown") where that cannot be told."""
    firmware = _enforcing(context)
    if firmware is None:
        return
    kernels = known(context.snapshot.kernels, "how the kernel module is signed")
    running = kernels.find(kernels.running)
    match running.module if running else Absent("no module"):
        case Known(value=module):
            _require_signed(firmware, module)
        case Absent():
            pass  # nothing to load: what builds it comes first
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell how the kernel module is signed: {because(blind)}")


def require_key(context: Context, state: DriverState) -> None:
    """The same for a module that is still to be built, in the place of one that works."""
    firmware = _enforcing(context)
    if firmware is not None and any("dkms" in name for name in state.required):
        _require_enrolled(firmware, f"the module of another driver would be signed on this host, {_REFUSES}")


_REFUSES = "Secure Boot is on, and the firmware does not know the key"


def _enforcing(context: Context) -> SecureBoot | None:
    match context.snapshot.secure_boot:
        case Absent():
            return None
        case _:
            firmware = known(context.snapshot.secure_boot, "whether Secure Boot is on")
    match firmware.refuses_unsigned:
        case Known(value=refuses):
            return firmware if refuses else None
        case Absent() | Unreadable() as blind:
            raise Halt("unknown", f"cannot tell whether Secure Boot is on: {because(blind)}")


def _require_signed(firmware: SecureBoot, module: ModuleFile) -> None:
    match module.signer:
        case Known():
            if any(part in module.path for part in _BUILT_HERE):
                _require_enrolled(firmware, f"the module {module.path} was signed on this host, {_REFUSES}")
        case Absent():
            why = f"the module {module.path} is not signed, and Secure Boot is on"
            _require_enrolled(firmware, why)
            raise Halt(
                "unsupported", f"{why}: have DKMS build and sign it again (`dkms install --force`), and run again"
            )
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell how {module.path} is signed: {because(blind)}")


def _require_enrolled(firmware: SecureBoot, why: str) -> None:
    if any(isinstance(key.enrolled, Known) and key.enrolled.value for key in firmware.keys):
        return
    if not firmware.keys:
        raise Halt("unsupported", f"{why}: there is no key on this host yet; DKMS makes one with the first module")
    key = firmware.keys[0]
    match key.enrolled:
        case Known():
            raise Halt("unsupported", f"{why}: {_steps(key)}")
        case Absent() | Unreadable() as blind:
            raise Halt("unknown", f"cannot tell whether the firmware knows {key.path}: {because(blind)}")


def _steps(key: SigningKey) -> str:
    console = (
        "at the console (BMC, serial) choose `Enroll MOK` in the MOK manager and give that password; run ongpu again"
    )
    if isinstance(key.pending, Known) and key.pending.value:
        return f"its enrolment is asked for and waits for the next boot; reboot, and {console}"
    return f"run `sudo mokutil --import {key.path}` and set a one-time password; reboot; {console}"

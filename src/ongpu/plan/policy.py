"""What may be interrupted, and when: the one place that says no to restarts and reboots (design D7)."""

from __future__ import annotations

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.plan.context import Context, Halt, because
from ongpu.plan.types import Drain, Interrupts
from ongpu.spec.window import Window

_NO_PERMISSION = 4  # nvidia-smi(1), NVML_ERROR_NO_PERMISSION


def driver_works(context: Context) -> bool:
    """NVML answers, with a GPU. A loaded module that nothing can talk to (other library version) does not work.

    Raises Halt("unknown") when it could not be asked: a driver that hangs may well be in use.
    """
    match context.snapshot.nvml:
        case Known(value=nvml) if isinstance(nvml.gpus, Known):
            return bool(nvml.gpus.value)
        case Known(value=nvml) if nvml.exit_code not in (0, _NO_PERMISSION):
            return False
        case Known(value=nvml):
            raise Halt("unknown", f"cannot tell whether the present driver works: {nvml.message or 'no GPU list'}")
        case Absent():
            return False
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell whether the present driver works: {because(blind)}")


def is_running(context: Context) -> bool:
    """Is ollama.service up? Raises Halt("unknown") when that could not be looked at."""
    match context.snapshot.service:
        case Known(value=service):
            return service.is_running
        case Absent():
            return False
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell whether something is served: {because(blind)}")


def serves(context: Context) -> str:
    """What would be interrupted, in words; empty = nothing. Raises Halt("unknown") when that cannot be seen."""
    if not is_running(context):
        return ""
    match context.snapshot.api:
        case Known(value=api):
            loaded = api.loaded
        case Absent() | Unreadable() as blind:
            loaded = Unreadable(because(blind))
    match loaded:
        case Known(value=models):
            return ", ".join(model.name for model in models)
        case Absent() | Unreadable() as blind:
            raise Halt("unknown", f"cannot tell whether something is served: {because(blind)}")


def window_is_open(context: Context) -> bool:
    """Always, where none is declared."""
    window = context.spec.service.window
    return window is None or Window.parse(window).is_open(context.now.at)


def require_window(context: Context, why: str) -> None:
    """Raises Halt("refused") outside the maintenance window. `why`: "ollama needs a restart (...)"."""
    declared = context.spec.service.window
    if declared is None or window_is_open(context):
        return
    opens = Window.parse(declared).next_opening(context.now.at)
    raise Halt(
        "refused", f"{why}, and the maintenance window ({declared}) is closed until {opens:%a %Y-%m-%d %H:%M} UTC"
    )


def require_restart(context: Context, why: str) -> None:
    """Raises Halt("refused") when the running service may not be interrupted now."""
    if not context.limits.allow_restart:
        raise Halt("refused", f"{why}, and this run may not restart services")
    require_window(context, why)


def require_reboot(context: Context, why: str) -> None:
    """Raises Halt("refused") when the host may not be rebooted now. `why`: "driver 570 -> 580 needs a reboot"."""
    policy = context.spec.driver.reboot
    if not context.limits.allow_reboot:
        raise Halt("refused", f"{why}, and this run may not reboot hosts")
    match policy:
        case "never":
            raise Halt("refused", f"{why}, and driver.reboot is `never`")
        case "window":
            require_window(context, why)
        case "bootstrap":
            if driver_works(context):
                raise Halt("refused", f"{why}, and driver.reboot is `bootstrap` while the present driver works")
            if models := serves(context):
                raise Halt("refused", f"{why}, and driver.reboot is `bootstrap` while {models} is loaded")
    if is_running(context):
        require_restart(context, why)  # a reboot interrupts the service as well


def may_reboot(context: Context) -> Interrupts:
    """The most that a later look could lead to."""
    try:
        require_reboot(context, "")
    except Halt as halt:
        if halt.kind == "refused":
            return Interrupts.NONE
        raise
    return Interrupts.REBOOT


def may_restart(context: Context, *, will_run: bool = False) -> Interrupts:
    """The most that a later look could lead to. `will_run`: a reboot before it may start the service."""
    allowed = (will_run or is_running(context)) and context.limits.allow_restart and window_is_open(context)
    return Interrupts.RESTART if allowed else Interrupts.NONE


def drained(context: Context) -> tuple[Drain, ...]:
    """The step that waits until nothing is served, where something could be."""
    return (Drain(limit=context.spec.service.drain),) if is_running(context) else ()

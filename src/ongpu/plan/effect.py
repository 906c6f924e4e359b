"""How a driver that is not the loaded one takes effect: the kernel module is reloaded, or the host reboots.

A reload does where nothing but services that ongpu may stop holds the module. The kernel has the last word: it refuses
to unload a module that is in use, and then everything is started again as it was. What makes a reboot necessary:
NVIDIA GPU driver container, `nvidia-driver` (`_unload_driver`); docs.nvidia.com, driver installation guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from ongpu.host.ollama import Service
from ongpu.host.paths import HEADER, REBOOTED, RELOAD_FAILED, SWITCH_FAILED
from ongpu.host.reading import value_or_none
from ongpu.host.units import GPU_UNITS as UNITS
from ongpu.host.use import DriverUse
from ongpu.plan.context import Context, Halt, known
from ongpu.plan.driver_state import DriverState, in_branch, replaces_a_working_driver
from ongpu.plan.files import content_of
from ongpu.plan.policy import is_running, require_reboot, require_restart
from ongpu.plan.types import Interrupts, Put


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """`reboot` = why a reload of the module would not do; empty where it does."""

    reboot: str = ""

    @property
    def interrupts(self) -> Interrupts:
        return Interrupts.REBOOT if self.reboot else Interrupts.RESTART


def effect_of(context: Context, state: DriverState) -> Effect:
    """Raises Halt("unknown") when it cannot be told who uses the GPU."""
    for reason in (_nouveau, _flavour, _tried, _asked_for, _console, _clients):
        if why := reason(context, state):
            return Effect(reboot=why)
    return Effect()


def _nouveau(context: Context, state: DriverState) -> str:
    return f"{holder} holds the GPU" if (holder := rival(context, state)) else ""


def rival(context: Context, state: DriverState) -> str:
    """The kernel's own driver that has the GPU instead; empty if there is none."""
    if value_or_none(state.module.nouveau_loaded):
        return "nouveau"
    loaded = value_or_none(_use(context).rivals)
    bound = {gpu.driver for gpu in value_or_none(context.snapshot.pci) or ()}
    return next((name for name in loaded or () if name in bound), "")


def _flavour(context: Context, state: DriverState) -> str:
    loaded = value_or_none(state.module.loaded)
    if loaded is None or loaded.flavour in ("unknown", state.flavour):
        return ""
    # The one runs the GPU by its GSP's firmware, the other may not: the GPU is to start afresh.
    return f"the {loaded.flavour} module is loaded, the {state.flavour} one is to follow"


def _tried(context: Context, state: DriverState) -> str:
    """A reload that failed is not tried again in the same boot."""
    failed = noted(context, RELOAD_FAILED)
    return failed.get("why", "the module could not be unloaded") if failed.get("boot") == _boot(context) else ""


def _asked_for(context: Context, state: DriverState) -> str:
    """NVML's recovery action (driver 565 and later): a GPU that only a reboot brings back."""
    nvml = value_or_none(context.snapshot.nvml)
    for gpu in (value_or_none(nvml.gpus) if nvml else None) or ():
        if "Reboot" in (value_or_none(gpu.settings.recovery_action) or ""):
            return f"GPU {gpu.info.pci_address} asks for a reboot"
    return ""


def _clients(context: Context, state: DriverState) -> str:
    names = foreign_clients(context)
    return f"{', '.join(names)} uses the GPU and is not ongpu's to stop" if names else ""


def _console(context: Context, state: DriverState) -> str:
    return "the host's console is on the GPU" if value_or_none(_use(context).console) else ""


def _use(context: Context) -> DriverUse:
    return known(context.snapshot.use, "who uses the GPU's driver")


def foreign_clients(context: Context) -> tuple[str, ...]:
    """Programs that hold the driver and are not of a service that ongpu may stop, as `name (pid 4711)`.

    Raises Halt("unknown") when it could not be looked.
    """
    clients = known(_use(context).clients, "who uses the GPU's driver")
    names = {client.pid: client.name for client in clients if client.unit not in UNITS}
    ours = {client.pid for client in clients if client.unit in UNITS} | _pids(value_or_none(context.snapshot.service))
    nvml = value_or_none(context.snapshot.nvml)
    processes = value_or_none(nvml.processes) if nvml else None
    # What the driver itself lists: also a process of another PID namespace, whose files do not show here.
    listed = {process.pid: PurePosixPath(process.name).name for process in processes or () if process.pid not in ours}
    return tuple(f"{name} (pid {pid})" for pid, name in sorted((listed | names).items()))


def _pids(service: Service | None) -> set[int]:
    runners = value_or_none(service.runners) if service else None
    return ({service.main_pid} if service else set()) | {runner.process.pid for runner in runners or ()}


def require_effect(context: Context, effect: Effect, what: str) -> None:
    """Raises Halt("refused") when this may not be done now. `what`: "driver 570 -> 580"."""
    if effect.reboot:
        because = "" if effect.reboot in what else f" ({effect.reboot})"
        require_reboot(context, f"{what}: this needs a reboot{because}")
    elif is_running(context):
        require_restart(context, f"{what}: the kernel module is to be reloaded, which stops ollama for a while")


def is_refused(context: Context, state: DriverState) -> bool:
    """May the declared branch not replace the present driver, or is that not known? The switch's own part of the plan
    says why; nothing that only serves the replacement is changed then."""
    branch = context.spec.driver.branch
    if in_branch(state.installed, branch):
        return False
    if noted(context, SWITCH_FAILED).get("to") == branch and state.loaded:
        return True
    try:
        if replaces_a_working_driver(context, state):
            require_effect(context, effect_of(context, state), "")
    except Halt:
        return True
    return False


def may_take_effect(context: Context, state: DriverState) -> Interrupts:
    """The most that a later look could lead to."""
    for effect in (Effect(reboot="?"), effect_of(context, state)):
        try:
            require_effect(context, effect, "")
        except Halt as halt:
            if halt.kind != "refused":
                raise
        else:
            return effect.interrupts if effect.reboot or state.loaded else Interrupts.NONE
    return Interrupts.NONE


def order_reboot(context: Context, state: DriverState, why: str) -> Put:
    """The note that a reboot is made to be rid of the module that holds the GPU. Raises Halt("unsupported") when one
    was made for it already and did not help: a host never reboots in a circle."""
    note, boot = noted(context, REBOOTED), _boot(context)
    loaded = value_or_none(state.module.loaded)
    holder = f"nvidia {loaded.version} {loaded.flavour}" if loaded else rival(context, state)
    if note.get("holder") == holder and note.get("boot") != boot:
        raise Halt(
            "unsupported",
            f"{why}, and the reboot that was made for it did not change that: look at `journalctl -k -b`, mend it, and "
            f"remove {REBOOTED} to have a reboot tried again",
        )
    content = f"# {HEADER}. One reboot for each reason, never a circle of them.\nholder: {holder}\nboot: {boot}\n"
    return Put(path=REBOOTED, content=content)


def noted(context: Context, path: str) -> dict[str, str]:
    """The `key: value` lines of one of our notes; empty where there is none."""
    lines = (line.partition(": ") for line in content_of(context, path).splitlines() if not line.startswith("#"))
    return {key: value for key, _, value in lines}


def _boot(context: Context) -> str:
    return known(known(context.snapshot.system, "what this host is").boot_id, "which boot of the host this is")

"""What is declared of every GPU (persistence, power limit, clocks, compute mode): set now, and at each boot by a unit.

Volatile settings are gone when the driver is unloaded, so the unit is one of those that are started again after a
reload. Locked clocks cannot be read back (NVML has no getter): they are as declared when the unit ran. nvidia-smi exits
with 0 where a GPU does not take a power limit (535 and 550): the readings after it decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from ongpu.host.gpu import Gpu
from ongpu.host.paths import GPU_SERVICE, GPU_UNIT
from ongpu.host.platform import SettingsUnit
from ongpu.host.reading import Absent, Known, Reading, Unreadable, value_or_none
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt, Later, Resource, because, known
from ongpu.plan.files import found, written
from ongpu.plan.render import render
from ongpu.plan.types import Change, Run
from ongpu.spec.settings import DriverSettings

_MODES = {"default": "Default", "exclusive_process": "Exclusive_Process"}  # declared -> nvidia-smi's word
_WATT = 1.0  # a limit is kept in steps of less than that


def _changes(context: Context) -> list[Change]:
    declared = context.spec.driver.settings
    commands = _commands(declared)
    if not commands:
        return _removed(context)
    context.wait_for("driver", "switch", "module", "ecc")
    if context.pending("driver", "switch", "module", "ecc"):
        raise Later("can only be known once the driver is loaded")
    gpus = gpus_of(context, "what is set on the GPUs")
    for gpu in gpus:
        for problem in _impossible(declared, gpu):
            raise Halt("unsupported", problem)
    file = written(context, GPU_SERVICE, render("ongpu-gpu.service.j2", commands=commands))
    reasons = [difference for gpu in gpus for difference in _differences(declared, gpu)]
    reasons += _unit_reasons(_unit(context)) if not file else []
    if not file and not reasons:
        return []
    apply = shell.run(f"set the GPUs: {_words(declared)}", "gpu-settings", seconds=180, UNIT=GPU_UNIT)
    summary = f"set on every GPU: {_words(declared)}" + (f" ({'; '.join(reasons)})" if reasons else "")
    steps = (file.put, apply) if file else (apply,)
    return [Change(resource="settings", summary=summary, steps=steps, diff=file.diff if file else "")]


def gpus_of(context: Context, what: str) -> tuple[Gpu, ...]:
    """Raises Halt("unknown") where NVML does not list the GPUs."""
    nvml = known(context.snapshot.nvml, what)
    gpus = known(nvml.gpus, what)
    if not gpus:
        raise Halt("unknown", f"cannot tell {what}: the driver lists no GPU")
    return gpus


def _commands(declared: DriverSettings) -> list[str]:
    """nvidia-smi's arguments, one call each; the first keeps the others from being lost with the last client."""
    found = []
    if declared.persistence is not None:
        found.append(f"-pm {int(declared.persistence)}")
    if declared.power_limit_watts is not None:
        found.append(f"-pl {declared.power_limit_watts}")
    if declared.clocks.graphics:
        found.append(f"-lgc {declared.clocks.graphics[0]},{declared.clocks.graphics[1]}")
    if declared.clocks.memory is not None:
        found.append(f"-lmc {declared.clocks.memory},{declared.clocks.memory}")
    if declared.compute_mode is not None:
        found.append(f"-c {declared.compute_mode.upper()}")
    return found


def _words(declared: DriverSettings) -> str:
    clocks = declared.clocks
    words = [
        f"persistence {'on' if declared.persistence else 'off'}" if declared.persistence is not None else "",
        f"power limit {declared.power_limit_watts} W" if declared.power_limit_watts is not None else "",
        f"graphics clock {clocks.graphics[0]} to {clocks.graphics[1]} MHz" if clocks.graphics else "",
        f"memory clock {clocks.memory} MHz" if clocks.memory is not None else "",
        f"compute mode {_MODES[declared.compute_mode]}" if declared.compute_mode else "",
    ]
    return ", ".join(word for word in words if word)


def _named(gpu: Gpu) -> str:
    return f"GPU {gpu.info.index} ({gpu.info.name})"


def _impossible(declared: DriverSettings, gpu: Gpu) -> Iterator[str]:
    """What this GPU cannot be set to, with its own limits."""
    watts = declared.power_limit_watts
    if watts is not None:
        lowest, highest = gpu.settings.power_min_watts, gpu.settings.power_max_watts
        yield from _absent("driver.settings.power_limit_watts", highest, gpu, "its power limit cannot be set")
        if isinstance(lowest, Known) and isinstance(highest, Known) and not lowest.value <= watts <= highest.value:
            yield (
                f"driver.settings.power_limit_watts is {watts}, and {_named(gpu)} takes {lowest.value:.0f} to "
                f"{highest.value:.0f} W"
            )
    graphics = declared.clocks.graphics
    asked = (
        ("graphics", graphics[1] if graphics else None, gpu.performance.max_sm_clock_mhz),
        ("memory", declared.clocks.memory, gpu.performance.max_memory_clock_mhz),
    )
    for name, mhz, most in asked:
        if mhz is None:
            continue
        yield from _absent(f"driver.settings.clocks.{name}", most, gpu, "its clocks cannot be set")
        if isinstance(most, Known) and mhz > most.value:
            yield f"driver.settings.clocks.{name} goes up to {mhz} MHz, and {_named(gpu)} to {most.value}"
    if declared.persistence is not None:
        yield from _absent("driver.settings.persistence", gpu.info.persistence, gpu, "it has no persistence mode")


def _absent(key: str, reading: Reading[object], gpu: Gpu, words: str) -> Iterator[str]:
    match reading:
        case Absent(why=why):
            yield f"{key} is declared, and {_named(gpu)} does not have that: {words} ({why})"
        case Unreadable():
            raise Halt("unknown", f"cannot tell whether {key} is possible on {_named(gpu)}: {because(reading)}")
        case Known():
            pass


def _differences(declared: DriverSettings, gpu: Gpu) -> Iterator[str]:
    """Where the readings are not as declared; what cannot be read is not known to be as declared."""
    here = f"GPU {gpu.info.index}"
    if declared.persistence is not None:
        on = known(gpu.info.persistence, f"whether persistence is on for {here}")
        if on != declared.persistence:
            yield f"{here}: persistence is {'on' if on else 'off'}"
    if declared.power_limit_watts is not None:
        watts = known(gpu.performance.power_limit_watts, f"the power limit of {here}")
        if abs(watts - declared.power_limit_watts) >= _WATT:
            yield f"{here}: power limit is {watts:g} W"
    if declared.compute_mode is not None:
        mode = known(gpu.info.compute_mode, f"the compute mode of {here}")
        if mode != _MODES[declared.compute_mode]:
            yield f"{here}: compute mode is {mode}"


def _unit(context: Context) -> SettingsUnit | None:
    fabric = known(context.snapshot.fabric, f"whether {GPU_UNIT} ran")
    match fabric.settings_unit:
        case Known(value=unit):
            return unit
        case Absent():
            return None
        case Unreadable() as blind:
            raise Halt("unknown", f"cannot tell whether {GPU_UNIT} ran: {because(blind)}")


def _unit_reasons(unit: SettingsUnit | None) -> list[str]:
    if unit is None or unit.needs_reload:
        return [f"systemd has not read {GPU_SERVICE}"]
    reasons = [] if unit.enabled == "enabled" else [f"{GPU_UNIT} is not enabled"]
    if unit.state != "active":
        reasons.append(f"{GPU_UNIT} is {unit.state or 'unknown'}")
    return reasons


def _removed(context: Context) -> list[Change]:
    """Nothing is declared any more. What is set stays until the driver is loaded anew."""
    file = value_or_none(context.snapshot.files) and found(context, GPU_SERVICE)
    if not file or not file.ours:
        return []
    command = f"systemctl disable --quiet {GPU_UNIT}; rm -f {GPU_SERVICE} && systemctl daemon-reload"
    step = Run(command=command, what=f"remove {GPU_UNIT}", seconds=60)
    summary = f"remove {GPU_UNIT}: no driver.settings are declared (what is set on the GPUs stays until the next boot)"
    return [Change(resource="settings", summary=summary, steps=(step,))]


RESOURCE = Resource(name="settings", applies=lambda spec: spec.driver.manage, changes=_changes)

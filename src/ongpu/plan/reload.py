"""The steps by which a driver takes effect on a host, and what confirms that it did."""

from __future__ import annotations

from dataclasses import dataclass

from ongpu.host.cuda import HELPER, MEANINGS, meaning
from ongpu.host.paths import ACCOUNT, HEADER, MODULES_LOAD, REBOOTED, RELOAD_FAILED, STOPPED_UNITS, SWITCH_FAILED, UNIT
from ongpu.host.reading import value_or_none
from ongpu.host.units import GPU_UNITS
from ongpu.plan import shell
from ongpu.plan.context import Context
from ongpu.plan.driver_state import needs_fabric_manager
from ongpu.plan.endpoint import api_url
from ongpu.plan.files import Written, found, written
from ongpu.plan.render import render
from ongpu.plan.types import Run

API_SECONDS = 240  # see plan/resources/restart.py
_NOTED = {"SWITCH_FAILED": SWITCH_FAILED, "HEADER": HEADER}
NOTES = (STOPPED_UNITS, RELOAD_FAILED, REBOOTED)


def at_boot(context: Context) -> Written | None:
    """Both modules are loaded at each boot; None = that is so already."""
    return written(context, MODULES_LOAD, render("modules-load.conf.j2"))


def load(version: str, *, uvm_only: bool = False) -> Run:
    """Load the modules that are not loaded."""
    what = "load the kernel module nvidia-uvm" if uvm_only else f"load the kernel module {version}"
    return shell.run(what, "module", seconds=1800, UVM="yes" if uvm_only else "", VERSION=version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """`install` another driver (`to`: the declared branch), `build` it for the kernel that boots next, and `back` to
    the previous packages where one of them fails or the new module does not load."""

    to: str
    install: Run
    build: Run | None
    back: Run | None
    rebuild: Run | None  # the previous one's module for the kernel that boots next: its packages took it along

    @property
    def seconds(self) -> int:
        return sum(step.seconds for step in (self.install, self.build, self.back, self.rebuild) if step)

    def scripts(self) -> dict[str, str]:
        return {
            "INSTALL": _script(self.install),
            "BUILD": _script(self.build),
            "BACK": _script(self.back),
            "REBUILD": _script(self.rebuild),
            "TO": self.to,
            **_NOTED,
        }


def _script(step: Run | None) -> str:
    return (step.stdin or step.command) if step else ""


def reload(context: Context, what: str, exchange: Exchange | None = None, version: str = "") -> Run:
    """Stop what holds the GPU, unload, exchange the packages, load, start again; whatever fails, what was stopped is
    started."""
    nothing = {"INSTALL": "", "BUILD": "", "BACK": "", "REBUILD": "", "TO": "", **_NOTED}
    return shell.run(
        what,
        "nested",
        "units",
        "reload",
        seconds=(exchange.seconds if exchange else 0) + 1800 + API_SECONDS + 300,
        LOAD=shell.script("module", UVM="", VERSION=version),
        CONFIRM=_confirmation(context),
        RELOAD_FAILED=RELOAD_FAILED,
        **(exchange.scripts() if exchange else nothing),
        **_units(context),
    )


def staged(what: str, exchange: Exchange) -> Run:
    """Exchange the packages; the module follows at the next boot."""
    return shell.run(what, "nested", "staged", seconds=exchange.seconds, **exchange.scripts())


def confirm(context: Context) -> Run:
    """Start what a run that was cut off left stopped, load, and hold the host against what a working driver is."""
    return shell.run(
        "confirm the driver",
        "nested",
        "units",
        "settle",
        seconds=1800 + API_SECONDS + 300,
        LOAD=shell.script("module", UVM="", VERSION=""),
        CONFIRM=_confirmation(context),
        NOTES=" ".join(NOTES),
        HEADER=HEADER,
        **_units(context),
    )


def initialised(context: Context) -> list[Run]:
    """As `initialise`; nothing where fabric manager is still to be started: that resource does it then."""
    fabric = value_or_none(context.snapshot.fabric)
    manager = value_or_none(fabric.manager) if fabric else None
    if needs_fabric_manager(context) and not (manager and manager.state == "active"):
        return []
    return [initialise(context)]


def initialise(context: Context) -> Run:
    """CUDA starts for the service's user. After everything that the driver needs was started again."""
    user = ACCOUNT if context.spec.ollama.manage else "the service's user"
    return shell.run(
        f"initialise CUDA as {user}",
        "cuda-init",
        seconds=180,
        UNIT=UNIT,
        HELPER=HELPER,
        MEANINGS="\n".join(f"{code} {meaning(code)}" for code in MEANINGS),
    )


def is_unsettled(context: Context) -> bool:
    """Did a run leave a note behind, because it was cut off, or its reload or reboot is still to be confirmed?"""
    return any(found(context, path) is not None for path in NOTES)


def _units(context: Context) -> dict[str, str]:
    return {
        "UNITS": " ".join(GPU_UNITS),
        "STOPPED": STOPPED_UNITS,
        "OLLAMA": UNIT,
        "API": api_url(context.spec.ollama.listen) if context.spec.ollama.manage else "",
        "SECONDS_LIMIT": str(API_SECONDS),
    }


def _confirmation(context: Context) -> str:
    expected = context.spec.expect.gpus
    return shell.script("confirm", EXPECT="" if expected is None else str(expected))

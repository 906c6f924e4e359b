"""The steps by which a driver takes effect on a host, and what confirms that it did."""

from __future__ import annotations

from ongpu.host.paths import HEADER, MODULES_LOAD, REBOOTED, RELOAD_FAILED, STOPPED_UNITS, UNIT
from ongpu.plan import shell
from ongpu.plan.context import Context
from ongpu.plan.endpoint import api_url
from ongpu.plan.files import Written, found, written
from ongpu.plan.render import render
from ongpu.plan.types import Run

API_SECONDS = 240  # see plan/resources/restart.py
# Services that hold the GPU and may be stopped and started again for a reload, in this order; started the other way
# round. NVIDIA GPU driver container, `nvidia-driver` (`_unload_driver`); DCGM user guide; dcgm-exporter.
UNITS = (
    UNIT,
    "dcgm-exporter.service",
    "nvidia-dcgm-exporter.service",
    "nvidia-dcgm.service",
    "dcgm.service",
    "nvidia-topologyd.service",
    "nvidia-gridd.service",
    "nvidia-powerd.service",
    "nvidia-imex.service",
    "nvidia-fabricmanager.service",
    "nvlsm.service",
    "nvidia-persistenced.service",
)
NOTES = (STOPPED_UNITS, RELOAD_FAILED, REBOOTED)


def at_boot(context: Context) -> Written | None:
    """Both modules are loaded at each boot; None = that is so already."""
    return written(context, MODULES_LOAD, render("modules-load.conf.j2"))


def load(version: str, *, uvm_only: bool = False) -> Run:
    """Load the modules that are not loaded."""
    what = "load the kernel module nvidia-uvm" if uvm_only else f"load the kernel module {version}"
    return shell.run(what, "module", seconds=1800, UVM="yes" if uvm_only else "", VERSION=version)


def reload(context: Context, what: str, install: Run | None = None, back: Run | None = None, version: str = "") -> Run:
    """Stop what holds the GPU, unload, `install`, load, start again; whatever fails, what was stopped is started.
    `back` puts the previous packages back where the new module does not load."""
    nested = shell.script("module", UVM="", VERSION=version)
    return shell.run(
        what,
        "units",
        "reload",
        seconds=sum(step.seconds for step in (install, back) if step) + 1800 + API_SECONDS + 300,
        INSTALL=(install.stdin or install.command) if install else "",
        BACK=(back.stdin or back.command) if back else "",
        LOAD=nested,
        CONFIRM=_confirmation(context),
        RELOAD_FAILED=RELOAD_FAILED,
        **_units(context),
    )


def confirm(context: Context) -> Run:
    """Start what a run that was cut off left stopped, load, and hold the host against what a working driver is."""
    return shell.run(
        "confirm the driver",
        "units",
        "settle",
        seconds=1800 + API_SECONDS + 300,
        LOAD=shell.script("module", UVM="", VERSION=""),
        CONFIRM=_confirmation(context),
        NOTES=" ".join(NOTES),
        **_units(context),
    )


def is_unsettled(context: Context) -> bool:
    """Did a run leave a note behind, because it was cut off, or its reload or reboot is still to be confirmed?"""
    return any(found(context, path) is not None for path in NOTES)


def _units(context: Context) -> dict[str, str]:
    return {
        "UNITS": " ".join(UNITS),
        "STOPPED": STOPPED_UNITS,
        "HEADER": HEADER,
        "OLLAMA": UNIT,
        "API": api_url(context.spec.ollama.listen) if context.spec.ollama.manage else "",
        "SECONDS_LIMIT": str(API_SECONDS),
    }


def _confirmation(context: Context) -> str:
    expected = context.spec.expect.gpus
    return shell.script("confirm", EXPECT="" if expected is None else str(expected))

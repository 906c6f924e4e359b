"""What repairs a cause, as data: a rule names it, `ongpu.repair` turns it into steps for one host. Pure.

Nothing here touches what belongs to somebody else: variables and settings are overridden by a drop-in of ours, a
neighbour's process is never ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ongpu.rules.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Converge:
    """The parts of the plan that repair it, by the names of `ongpu.plan.build.RESOURCES`, in the plan's order."""

    resources: tuple[str, ...]


DRIVER = Converge(("prerequisites", "repository", "driver", "module"))


@dataclass(frozen=True, slots=True)
class Reinstall:
    """The declared Ollama release, fetched, checked and unpacked again in its place."""


@dataclass(frozen=True, slots=True)
class Unset:
    """Variables that the service must not have. One that the inventory declares gets its declared value instead."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assign:
    """A variable of the service. What the inventory declares for it comes first."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class UnitSetting:
    """A setting of the unit's [Service] section, such as PrivateDevices=no."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ReloadModule:
    """Unload a kernel module and load it again, while Ollama is stopped. `options` as in modprobe.d, kept for good."""

    name: str
    options: str = ""


@dataclass(frozen=True, slots=True)
class EnableUnit:
    """Start another unit now and at each boot."""

    unit: str


@dataclass(frozen=True, slots=True)
class RelinkLibraries:
    """ldconfig; where the driver's libraries are gone, their packages are installed again, in the same version."""


@dataclass(frozen=True, slots=True)
class Unload:
    """Resident models that are to be loaded anew; it waits until nothing is served."""

    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart Ollama: drained before, checked afterwards."""


@dataclass(frozen=True, slots=True)
class Reboot:
    """Restart the host, where the inventory's policy allows it."""


Action = (
    Converge
    | Reinstall
    | Unset
    | Assign
    | UnitSetting
    | ReloadModule
    | EnableUnit
    | RelinkLibraries
    | Unload
    | Restart
    | Reboot
)  # fmt: skip
Repair = Callable[[Evidence], tuple[Action, ...]]
"""From the evidence that the rule fired on; empty when this evidence does not tell what to do: then by hand."""


def always(*actions: Action) -> Repair:
    """The same repair whatever the evidence says."""
    return lambda seen: actions

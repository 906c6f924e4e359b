"""`branch: auto` becomes a branch before anything is planned, so that all resources mean the same one."""

from __future__ import annotations

from ongpu.host.reading import value_or_none
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.choice.choose import auto_branch
from ongpu.plan.context import Halt
from ongpu.plan.distributions import offered
from ongpu.spec.model import HostSpec


def resolved(spec: HostSpec, snapshot: HostSnapshot) -> HostSpec:
    """The spec with a branch in place of `auto`; left as it is where none can be chosen: the driver's own part of the
    plan then says why."""
    driver = spec.driver
    gpus, system = value_or_none(snapshot.pci), value_or_none(snapshot.system)
    if driver.branch != "auto" or not driver.manage or gpus is None or system is None:
        return spec
    try:
        found = offered(system, driver.source)
        branch = auto_branch(gpus, driver.modules, spec.ollama.release, _present(snapshot), found)
    except Halt:
        return spec
    return spec.model_copy(update={"driver": driver.model_copy(update={"branch": branch})})


def _present(snapshot: HostSnapshot) -> str:
    """The driver version that the host has, loaded or to be loaded; empty if none."""
    module = value_or_none(snapshot.module)
    if module is None:
        return ""
    loaded, on_disk = value_or_none(module.loaded), value_or_none(module.on_disk)
    return loaded.version if loaded else on_disk.version if on_disk else ""

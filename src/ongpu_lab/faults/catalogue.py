"""Finds the faults, applies and clears them, and remembers which are active."""

from __future__ import annotations

import json
import pkgutil
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from ongpu_lab import faults as package
from ongpu_lab.errors import LabError
from ongpu_lab.faults.base import Fault, Target
from ongpu_lab.hosts.state import write_whole

if TYPE_CHECKING:
    from ongpu_lab.lab import Lab

_OWN = {"base", "catalogue"}  # and names that start with an underscore
Active = list[tuple[str, str]]  # (fault, host or "")


@cache
def every() -> tuple[Fault, ...]:
    """All faults by name. Adding one means adding its file."""
    names = sorted(
        found.name
        for found in pkgutil.iter_modules(package.__path__)
        if not (found.name in _OWN or found.name[0] == "_")
    )
    return tuple(_load(name) for name in names)


def _load(name: str) -> Fault:
    module = import_module(f"{package.__name__}.{name}")
    text = (module.__doc__ or "").strip()
    summary = text.partition("\n")[0].rstrip(".")
    return Fault(
        name=name.replace("_", "-"),
        cause=getattr(module, "CAUSE", name.replace("_", "-")),
        summary=summary,
        help=text,
        of_lab=getattr(module, "OF_LAB", False),
        ends_with_start=getattr(module, "ENDS_WITH_START", False),
        apply=module.apply,
        clear=module.clear,
    )


def find(name: str) -> Fault:
    """By its name or its cause. Raises LabError with the nearest name."""
    faults = {fault.cause: fault for fault in every()} | {fault.name: fault for fault in every()}
    if name in faults:
        return faults[name]
    near = get_close_matches(name, faults, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else "."
    raise LabError(f"There is no fault `{name}`{hint} `ongpu lab fault --list` shows all.")


def active(lab: Lab) -> Active:
    """What is broken on purpose now."""
    try:
        entries = json.loads((lab.dir / "faults.json").read_text())
        return [(str(name), str(host)) for name, host in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise LabError(f"{lab.dir / 'faults.json'} cannot be read: {error}.") from error


def apply(lab: Lab, fault: Fault, host: str | None) -> str:
    """The host it was applied to (empty: the lab). It is noted first: a fault that fails half-way can be cleared."""
    lab.state()  # or there is no lab
    target = Target(lab, _where(lab, fault, host))
    note(lab, fault.name, target.host)
    fault.apply(target)
    return target.host


def note(lab: Lab, name: str, host: str) -> None:
    """From now on it is active."""
    now = active(lab)
    if (name, host) not in now:
        _note(lab, [*now, (name, host)])


def clear(lab: Lab, name: str | None = None, host: str | None = None) -> Active:
    """Undo all active faults, last first, or those of one name or host; what was cleared. A named fault is cleared
    even when it is not noted as active."""
    lab.state()  # or there is no lab
    chosen = [one for one in active(lab) if (name is None or one[0] == name) and (host is None or one[1] == host)]
    if not chosen and name is not None:
        chosen = [(name, _where(lab, find(name), host))]
    for one in reversed(chosen):
        find(one[0]).clear(Target(lab, one[1]))
        _note(lab, [other for other in active(lab) if other != one])
    return chosen


def forget(lab: Lab, host: str) -> None:
    """A host that was reset has no faults any more."""
    _note(lab, [one for one in active(lab) if one[1] != host])


def started(lab: Lab, host: str) -> None:
    """A host that was down has been started: what was about that is over."""
    _note(lab, [one for one in active(lab) if one[1] != host or not find(one[0]).ends_with_start])


def _where(lab: Lab, fault: Fault, host: str | None) -> str:
    if fault.of_lab:
        if host:
            raise LabError(f"{fault.name} concerns the whole lab: leave out the host.")
        return ""
    hosts = lab.state().layout.hosts
    if host is None and len(hosts) > 1:
        raise LabError(f"{fault.name} concerns one host: name it ({', '.join(one.name for one in hosts)}).")
    return lab.state().layout.host(host or hosts[0].name).name


def _note(lab: Lab, entries: Active) -> None:
    write_whole(lab.dir / "faults.json", json.dumps(entries) + "\n")

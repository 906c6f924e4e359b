"""The declared hosts without pyinfra's half a second of imports, where that can be had.

Fleet files are read by `ongpu.spec.load`. Of an `inventory.py`, groups and data are taken as pyinfra 3.10 takes them
(pyinfra_cli/inventory.py, api/inventory.py). Where group_data, pyinfra's other connectors or its other ways to name an
inventory come in, pyinfra itself reads it, in a process of its own: importing its command line patches the standard
library for gevent, with which asyncio cannot live.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ongpu.engine.cell import KEY, spec_in
from ongpu.errors import ConfigError
from ongpu.fleet.options import Options, selected
from ongpu.spec.load import load
from ongpu.spec.model import HostSpec
from ongpu.spec.pyinfra_data import connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """`connector`: pyinfra's name of it, `ssh` or `local` or another. `data`: everything merged, `ongpu` included."""

    name: str
    connector: str
    groups: tuple[str, ...]
    data: Mapping[str, Any]
    parsed: HostSpec | None = None

    @property
    def spec(self) -> HostSpec:
        """Raises ConfigError for a host without a valid one."""
        return self.parsed or spec_in(self.name, self.data.get(KEY))


def declared(options: Options) -> list[Declared]:
    """The selected hosts. Raises ConfigError or NothingToDo with one sentence, or several, one per error."""
    source = options.inventory
    if os.path.isdir(source) or source.endswith((".yaml", ".yml")):
        return selected(_of_fleet_file(source), options)
    if source.endswith(".py") and not os.path.exists(source):
        raise ConfigError(
            f"there is no {source} here; name one with --inventory: a pyinfra inventory, a fleet.yaml, or a directory "
            "of such files",
            source,
        )
    found = None if _has_group_data(source) or not source.endswith(".py") else _of_python(source)
    return selected(_by_pyinfra(source) if found is None else found, options)


def _of_fleet_file(source: str) -> Iterator[Declared]:
    fleet = load(source)
    for spec in fleet.hosts:
        name, more, connector = _connector(spec.name)
        data = {**more, **connection(spec.ssh), KEY: fleet.data[spec.name]}
        yield Declared(name=name, connector=connector, groups=(*spec.groups, "all"), data=data, parsed=spec)


def _connector(name: str) -> tuple[str, dict[str, Any], str]:
    """`gpu01` -> ssh; `@local` -> local; `@ssh/gpu01` -> ssh with its ssh_hostname."""
    if not name.startswith("@"):
        return name, {}, "ssh"
    kind, _, argument = name[1:].partition("/")
    return name, {"ssh_hostname": argument} if kind == "ssh" else {}, kind


def _has_group_data(source: str) -> bool:
    return any((place / "group_data").is_dir() for place in (Path.cwd(), Path(source).resolve().parent))


def _of_python(source: str) -> list[Declared] | None:
    """None: something in it is pyinfra's business."""
    groups = {key: value for key, value in _executed(source).items() if _is_group(key, value)}
    hosts: dict[str, dict[str, Any]] = {}
    members: dict[str, list[str]] = {}
    every, every_data = _parts(groups.pop("all")) if "all" in groups else ([], {})
    group_data = {}
    for group, value in groups.items():
        entries, group_data[group] = _parts(value)
        for name, data in map(_entry, entries):
            hosts.setdefault(name, {}).update(data)
            members.setdefault(name, []).append(group)
    for name, data in map(_entry, every):
        hosts.setdefault(name, {}).update(data)
    order = [_entry(entry)[0] for entry in every] or list(hosts)
    if any(name.startswith("@") and name != "@local" for name in order):
        return None
    stem = Path(source).stem
    found = []
    for name in dict.fromkeys(order):
        mine = members.get(name, [])
        merged = dict(every_data)
        for group in mine:
            merged |= group_data[group]
        _, _, connector = _connector(name)
        names = (*mine, *(() if stem in groups else (stem,)), *(("@local",) if connector == "local" else ()))
        found.append(Declared(name=name, connector=connector, groups=names, data=merged | hosts[name]))
    return found


def _executed(source: str) -> dict[str, Any]:
    here = os.getcwd()
    try:
        with contextlib.suppress(ValueError):
            if here not in sys.path:
                sys.path.append(here)  # as pyinfra does
        return runpy.run_path(source)
    except SystemExit as stop:  # how inventory.py reports configuration errors: one per line, no traceback
        raise ConfigError(str(stop.code)) from None
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"cannot be read as a pyinfra inventory: {error}", source) from error


def _is_group(key: str, value: object) -> bool:
    if key.startswith("_"):
        return False
    entries = value[0] if isinstance(value, tuple) and value else value
    return isinstance(entries, list | tuple) and all(isinstance(entry, str | tuple) for entry in entries)


def _parts(value: Any) -> tuple[list[Any], dict[str, Any]]:
    return (list(value[0]), dict(value[1])) if isinstance(value, tuple) else (list(value), {})


def _entry(entry: Any) -> tuple[str, dict[str, Any]]:
    return (entry[0], entry[1]) if isinstance(entry, tuple) else (entry, {})


def _by_pyinfra(source: str) -> list[Declared]:
    """In a child of its own; what it says on standard error is for the operator."""
    words = [sys.executable, "-m", "ongpu.fleet.reading.by_pyinfra", source]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if done.returncode or not done.stdout:
        raise ConfigError("pyinfra could not read it as an inventory (see above)", source)
    answer = pickle.loads(done.stdout)  # noqa: S301 - our own child's
    if isinstance(answer, str):
        raise ConfigError(answer)
    return [Declared(**host) for host in answer]

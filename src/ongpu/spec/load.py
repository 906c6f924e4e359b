"""The only reader of the inventory's YAML: files -> Fleet, or every error at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ongpu.errors import ConfigError, NothingToDo
from ongpu.spec.fleet import Builder, Fleet
from ongpu.spec.tree import Tree, parse

_FILE_KEYS = ("config", "known_hosts", "key")
MAX_BYTES = 4 * 1024 * 1024  # thousands of hosts; reading it takes a minute


def load(directory: str | Path) -> Fleet:
    """All `*.yaml` of a directory (or one file), merged.

    Raises ConfigError with one line per error, `inventory/fleet.yaml:12: ...`; NothingToDo for an empty fleet.
    """
    place = Path(directory)
    files = sorted([*place.glob("*.yaml"), *place.glob("*.yml")]) if place.is_dir() else [place]
    if not files:
        raise ConfigError(f"there is no .yaml file in {place}/: write one with `hosts:`", str(place))
    builder = Builder()
    for file in files:
        tree = _read(file)
        _resolve(tree.value, file.parent)
        builder.add(str(file), tree)
    fleet = builder.build()
    if builder.errors:
        raise ConfigError("\n".join(builder.errors))
    if not fleet.hosts and not fleet.skipped:
        raise NothingToDo(f"{place}: no host is declared under `hosts:`")
    _require_directories(fleet)
    return _with_keys(fleet)


def _require_directories(fleet: Fleet) -> None:
    """Raises ConfigError for a release that is to come from a directory of this machine that is not there."""
    checked: set[str] = set()
    for host in fleet.hosts:
        for version, release in host.releases.ollama.items():
            place = release.from_ or ""
            if place.startswith("/") and place not in checked and not Path(place).is_dir():
                raise ConfigError(f"releases.ollama.{version}.from: there is no directory {place}", host.origin)
            checked.add(place)


def _read(file: Path) -> Tree:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", str(file)) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"is larger than {MAX_BYTES // 2**20} MiB", str(file))
    try:
        return parse(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return Tree(errors=[(line, "not UTF-8 text")])


def _resolve(value: Any, base: Path) -> None:
    """Paths of files on the controller are relative to the file that names them."""
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if isinstance(inner, dict):
            names = _FILE_KEYS if key == "ssh" else ("key",) if key == "repository" else ()
            for name in names:
                if isinstance(inner.get(name), str):
                    inner[name] = _absolute(base, inner[name])
            place = inner.get("from")
            if isinstance(place, str) and place.startswith(("/", "./", "../", "~/")):  # of a release, not of a model
                inner["from"] = _absolute(base, place)
            _resolve(inner, base)


def _absolute(base: Path, path: str) -> str:
    try:
        return str((base / Path(path).expanduser()).resolve())
    except (OSError, RuntimeError, ValueError):  # no such user, a loop of links, NUL: said when it is opened
        return path


def _with_keys(fleet: Fleet) -> Fleet:
    """Puts the content of each `driver.repository.key` into `key_text`: the plan reads no files."""
    texts: dict[str, str] = {}
    hosts, data = [], dict(fleet.data)
    for host in fleet.hosts:
        path = host.driver.repository.key
        if path is None:
            hosts.append(host)
            continue
        text = texts.setdefault(path, _key(path, host.origin))
        repository = host.driver.repository.model_copy(update={"key_text": text})
        hosts.append(host.model_copy(update={"driver": host.driver.model_copy(update={"repository": repository})}))
        driver = dict(data[host.name]["driver"])
        driver["repository"] = {**driver["repository"], "key_text": text}
        data[host.name] = {**data[host.name], "driver": driver}
    return Fleet(tuple(hosts), data, fleet.skipped)


def _key(path: str, origin: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, ValueError) as error:  # not ASCII, a NUL in the path
        why = getattr(error, "strerror", None) or "not an armoured key"
        hint = "; the lab makes it: run `ongpu lab up`" if ".lab" in Path(path).parts else ""
        raise ConfigError(f"driver.repository.key: {path}: {why}{hint}", origin) from None

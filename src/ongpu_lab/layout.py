"""What a lab looks like: which hosts, which Debian, which GPU profile. One TOML file per shape in layouts/."""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from ongpu_lab.errors import LabError

SUITES = {
    "bookworm": "Debian 12",
    "trixie": "Debian 13",
    "rocky9": "Rocky Linux 9 (dnf and rpm on Debian 12)",
    "sles15": "SLES 15 (zypper and rpm on Debian 12)",
}
GATEWAY = "10.77.0.1"  # the lab's own side: vendor sites; seen by its hosts only
NETWORK = "10.77.0.0/24"
MAX_HOSTS = 200  # addresses .11 to .210
_NAME = re.compile(r"[a-z][a-z0-9-]{0,9}")  # also a network interface's name: at most 15 characters with our prefix
_KEYS = {"name", "suite", "profile"}


@dataclass(frozen=True, slots=True)
class HostShape:
    """One host: a DNS label, a Debian suite, the name of a GPU profile, an IPv4 address."""

    name: str
    suite: str
    profile: str
    address: str

    @property
    def distribution(self) -> str:
        return SUITES[self.suite]


@dataclass(frozen=True, slots=True)
class Layout:
    hosts: tuple[HostShape, ...]

    def host(self, name: str) -> HostShape:
        """Raises LabError naming the hosts that there are."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"This lab has no host `{name}`; it has {', '.join(host.name for host in self.hosts)}.")

    def as_data(self) -> list[dict[str, str]]:
        return [asdict(host) for host in self.hosts]

    @classmethod
    def from_data(cls, data: list[dict[str, str]]) -> Layout:
        return cls(tuple(HostShape(**host) for host in data))


def names() -> list[str]:
    """The layouts that the lab brings along."""
    return sorted(entry.name.removesuffix(".toml") for entry in _shipped().iterdir() if entry.name.endswith(".toml"))


def load(which: str) -> Layout:
    """A layout by its name or by the path of a TOML file. Raises LabError with file and key."""
    shipped = _shipped() / f"{which}.toml"
    if "/" not in which and not which.endswith(".toml"):
        if not shipped.is_file():
            raise LabError(f"There is no lab layout `{which}`; there are {', '.join(names())}, or give a .toml file.")
        return parse(shipped.read_text(), f"{which}.toml")
    try:
        return parse(Path(which).read_text(), which)
    except OSError as error:
        raise LabError(f"{which}: {error.strerror}.") from error


def numbered(count: int) -> Layout:
    """`count` hosts lab1, lab2, ... that repeat the shapes of the default layout. Raises LabError out of range."""
    if not 1 <= count <= MAX_HOSTS:
        raise LabError(f"--hosts must be 1 to {MAX_HOSTS}, not {count}.")
    shapes = load("default").hosts
    return _addressed(
        [(f"lab{i + 1}", shapes[i % len(shapes)].suite, shapes[i % len(shapes)].profile) for i in range(count)]
    )


def parse(text: str, where: str) -> Layout:
    """Read a layout: `[[host]]` tables with name, suite and profile. Raises LabError with file and key."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{where}: not TOML: {error}.") from error
    if unknown := sorted(set(data) - {"description", "host"}):
        raise LabError(f"{where}: unknown key `{unknown[0]}`; a layout has `description` and [[host]] tables.")
    tables = data.get("host", [])
    if not isinstance(tables, list) or not 1 <= len(tables) <= MAX_HOSTS:
        raise LabError(f"{where}: a layout needs 1 to {MAX_HOSTS} [[host]] tables.")
    hosts = [_host(table, f"{where}: host {number}") for number, table in enumerate(tables, 1)]
    if len({name for name, _, _ in hosts}) < len(hosts):
        raise LabError(f"{where}: two hosts have the same name.")
    return _addressed(hosts)


def _host(table: Any, where: str) -> tuple[str, str, str]:
    if (
        not isinstance(table, dict)
        or set(table) != _KEYS
        or not all(isinstance(value, str) for value in table.values())
    ):
        raise LabError(f"{where}: needs the keys name, suite and profile, each a text, and no other.")
    if not _NAME.fullmatch(table["name"]):
        raise LabError(
            f"{where}: `{table['name']}` is no host name: a-z first, then a-z, 0-9 and -, at most 10 characters."
        )
    if table["suite"] not in SUITES:
        raise LabError(f"{where}: there is no suite `{table['suite']}`; there are {', '.join(SUITES)}.")
    return table["name"], table["suite"], table["profile"]


def _addressed(hosts: list[tuple[str, str, str]]) -> Layout:
    return Layout(tuple(HostShape(*host, address=f"10.77.0.{number}") for number, host in enumerate(hosts, 11)))


def _shipped() -> Traversable:
    return resources.files("ongpu_lab") / "layouts"

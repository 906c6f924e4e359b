"""What a resource needs to know of a distribution. One file per package manager beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ongpu.host.system import System
from ongpu.plan.choice import Choice
from ongpu.plan.types import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultRepository:
    """NVIDIA's own repository for a distribution; `url` ends in a slash. The signing key differs per directory."""

    url: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A configuration file of ours: where, and its text."""

    path: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """The driver packages to install. `exact`: name -> package version, or a pattern such as `580.*`.

    `version` is the driver's own version or the beginning of it; `old` puts the previous packages back when the
    installation fails; `broken` are packages that the package manager left half-installed; `remove` are to go in the
    same step (the other module flavour).
    """

    exact: dict[str, str]
    version: str
    old: dict[str, str]
    broken: Sequence[str]
    hold: bool
    remove: Sequence[str] = ()


class Distribution(Protocol):
    """Pure: every function returns text or steps."""

    keyring: str
    source_path: str
    pin_path: str

    def default_repository(self, system: System) -> DefaultRepository | None:
        """None = NVIDIA has none for this release, or its key is not known here."""

    def source(self, url: str) -> OwnFile:
        """The repository's entry."""

    def pin(self, branch: str) -> OwnFile:
        """Keeps the driver, and what it depends on, in the branch."""

    def driver_packages(self, system: System, flavour: Choice) -> tuple[str, ...]:
        """What to ask for; the last one carries the kernel module. Its version is the driver's."""

    def tools(self, names: Sequence[str]) -> tuple[str, ...]:
        """Packages that hold these commands."""

    def install_tools(self, packages: Sequence[str]) -> Run: ...

    def fetch_key(self, url: str, fingerprint: str) -> Run:
        """Fetch, check and store the repository's key."""

    def refresh(self, url: str, package: str, branch: str, *, own: bool) -> Run:
        """Read the repository's index (`own`: through our entry, by itself; else with all of the host's sources).

        Fails when it does not offer `package` in the branch.
        """

    def check_source(self, url: str, package: str) -> Run:
        """The package manager accepts the new entry beside the others; else it is taken out again."""

    def install(self, what: Install) -> Run: ...

    def hold(self, names: Sequence[str]) -> Run: ...

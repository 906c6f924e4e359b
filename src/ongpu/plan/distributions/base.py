"""What a resource needs to know of a distribution. One file per package manager beside this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ongpu.host.system import Packages, System
from ongpu.plan.choice import Choice
from ongpu.plan.types import Run

Source = Literal["nvidia", "distro"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultRepository:
    """NVIDIA's own repository for a distribution; `url` ends in a slash. The signing key differs per directory;
    `fingerprint` is empty where it is not known here, and `key_file` is then the name of the key's file."""

    url: str
    fingerprint: str
    key_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A configuration file of ours: where, and its text."""

    path: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What decides the names of the packages. `branch` is a branch (`580`) or an exact driver version.
    `fabric`: CUDA on this host waits for fabric manager (NVSwitch), which must have the driver's own version."""

    system: System
    packages: Packages
    source: Source
    branch: str
    flavour: Choice
    fabric: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSet:
    """`required` have the driver's own version; the last one brings the kernel module. `companions` have it too, but
    the driver is there without them (fabric manager). `also` come along with whatever version they have (modules
    prebuilt for a kernel). All are held as one set. `obsolete` are installed ones that these take the place of."""

    required: tuple[str, ...]
    obsolete: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """The driver packages to install. `exact`: name -> package version, or a pattern such as `580.*`.

    `version` is the driver's own version or the beginning of it; `old` puts the previous packages back when the
    installation fails; `broken` are packages that the package manager left half-installed; `remove` are to go in the
    same step (the other module flavour); `also` are wanted in whatever version. `uninstaller` takes a driver by
    NVIDIA's .run installer away, once the packages are here (apt only).
    """

    wanted: Wanted
    exact: dict[str, str]
    version: str
    old: dict[str, str]
    broken: Sequence[str]
    hold: bool
    remove: Sequence[str] = ()
    also: Sequence[str] = ()
    uninstaller: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Packages as they were before a run that is taken back: `exact` in these versions, `remove` gone, and the holds
    of those that the run changed."""

    exact: Mapping[str, str]
    remove: Sequence[str]
    hold: Sequence[str]
    unhold: Sequence[str]


def packages_with(commands: Sequence[str], named: Mapping[str, str]) -> tuple[str, ...]:
    """Packages that hold these commands; `named`: those whose package has another name. curl is of no use without the
    certificates of the authorities."""
    packages = {named.get(name, name) for name in commands}
    return tuple(sorted(packages | ({"ca-certificates"} if "curl" in commands else set())))


class Distribution(Protocol):
    """Pure: every function returns text or steps. Those that take `Wanted` raise Halt for what cannot be had."""

    keyring: str
    source_path: str

    def default_repository(self, system: System) -> DefaultRepository | None:
        """None = NVIDIA has none for this release."""

    def archive(self, system: System) -> str:
        """The distribution's own archive, in words."""

    def archive_branches(self, system: System) -> tuple[str, ...]:
        """Driver branches that this archive has, the one to prefer first. Empty: none, or not to be chosen from."""

    def source(self, url: str, branch: str) -> OwnFile:
        """The repository's entry."""

    def pin(self, branch: str) -> OwnFile | None:
        """Keeps the driver, and what it depends on, in the branch; None where the repository's entry does that."""

    def driver_packages(self, wanted: Wanted) -> PackageSet: ...

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

    def fetch(self, what: Install) -> Run | None:
        """Have all packages on the host without a change to it, and fail where that cannot be done or the package
        manager would refuse: before anything is stopped for them. None = it cannot be asked for by itself."""

    def hold(self, names: Sequence[str]) -> Run: ...

    def restore(self, packages: Restore, what: str) -> Run | None:
        """`what`: in words. None = by `install`, as any other version."""

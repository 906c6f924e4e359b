"""Debian, Ubuntu and what is built like them: apt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ongpu.host.paths import APT_KEYRING, APT_PIN, APT_SOURCE
from ongpu.host.system import System
from ongpu.plan import shell
from ongpu.plan.distributions import debian, keys, nvidia
from ongpu.plan.distributions.base import (
    DefaultRepository,
    Install,
    OwnFile,
    PackageSet,
    Restore,
    Wanted,
    packages_with,
)
from ongpu.plan.render import render
from ongpu.plan.types import Run

_PACKAGE_OF = {
    "curl": "curl",
    "zstd": "zstd",
    "tar": "tar",
    "gzip": "gzip",
    "gpg": "gpg",
    "sha256sum": "coreutils",
    "awk": "mawk",
    "update-ca-certificates": "ca-certificates",
}
# A package of the driver may depend on any version of the others (NVIDIA's cuda-drivers-580 pulled in 590): so all.
_PINNED = (
    "*nvidia*",
    "libcuda1*",
    "libcudadebugger*",
    "libnvcuvid*",
    "libnvoptix*",
    "libnvsdm*",
    "libxnvctrl*",
    "cuda-drivers*",
)
# Wanted beside the driver where the repository has them: device nodes and a driver that stays initialised.
_EXTRAS = ("nvidia-persistenced", "nvidia-modprobe")


class Apt:
    keyring = APT_KEYRING
    source_path = APT_SOURCE

    def default_repository(self, system: System) -> DefaultRepository | None:
        return nvidia.default_repository(system)

    def archive(self, system: System) -> str:
        if system.os_id == "ubuntu":
            return "Ubuntu's archive (this host's own sources, with restricted and multiverse)"
        return "Debian's archive (this host's own sources, with contrib, non-free and non-free-firmware)"

    def archive_branches(self, system: System) -> tuple[str, ...]:
        return debian.archive_branches(system)

    def source(self, url: str, branch: str) -> OwnFile:
        return OwnFile(path=APT_SOURCE, content=render("nvidia.sources.j2", url=url, keyring=APT_KEYRING))

    def pin(self, branch: str) -> OwnFile:
        content = render("nvidia.pref.j2", branch=branch, packages=_PINNED, pattern=pattern(branch))
        return OwnFile(path=APT_PIN, content=content)

    def driver_packages(self, wanted: Wanted) -> PackageSet:
        return debian.packages(wanted)

    def tools(self, names: Sequence[str]) -> tuple[str, ...]:
        return packages_with(names, _PACKAGE_OF)

    def install_tools(self, packages: Sequence[str]) -> Run:
        return shell.run(f"install {', '.join(packages)}", "apt", "prerequisites", PACKAGES=" ".join(packages))

    def fetch_key(self, url: str, fingerprint: str) -> Run:
        return keys.fetch(url, fingerprint, APT_KEYRING, capitals=False)

    def refresh(self, url: str, package: str, branch: str, *, own: bool) -> Run:
        return shell.run(
            f"read the package lists of {url}",
            "apt",
            "apt-update",
            SOURCE=self.source(url, branch).content if own else "",
            URL=url,
            PACKAGE=package,
            PATTERN=pattern(branch),
            SPOOL=keys.SPOOL,
        )

    def check_source(self, url: str, package: str) -> Run:
        return shell.run(f"add {url} to apt's sources", "apt-sees", FILE=APT_SOURCE, URL=url, PACKAGE=package)

    def install(self, what: Install) -> Run:
        return self._driver(f"install the driver {what.version} ({_few(list(what.exact))})", what)

    def fetch(self, what: Install) -> Run | None:
        return self._driver(f"fetch the packages of the driver {what.version}", what, only="fetch")

    def _driver(self, sentence: str, what: Install, only: str = "") -> Run:
        prebuilt = [name for name in what.also if name.startswith("linux-modules-nvidia-")]
        # The archives have these parts in other packages, or with versions of their own.
        extras = [name for name in _EXTRAS if name not in what.exact] if what.wanted.source == "nvidia" else []
        return shell.run(
            sentence,
            "apt",
            "hold",
            "driver",
            seconds=3600,
            INSTALL=" ".join([_equal(what.exact), *what.also, *(f"{name}-" for name in what.remove)]),
            SHORT=_few(list(what.exact)),
            VERSION=what.version,
            EXTRAS=" ".join(extras),
            PREBUILT=" ".join(name.removesuffix(_flavour_of(what.wanted)) for name in prebuilt),
            ALSO=" ".join(what.also),
            OLD=_equal(what.old),
            BROKEN=" ".join(what.broken),
            HOLD="yes" if what.hold else "",
            UNINSTALLER=what.uninstaller,
            ONLY=only,
        )

    def hold(self, names: Sequence[str]) -> Run:
        return Run(command=f"apt-mark hold {' '.join(names)} >/dev/null", what=f"hold {', '.join(names)}", seconds=120)

    def restore(self, packages: Restore, what: str) -> Run | None:
        return shell.run(
            what,
            "apt",
            "undo-packages",
            seconds=3600,
            PACKAGES=" ".join(
                part for part in (_equal(packages.exact), *(f"{name}-" for name in packages.remove)) if part
            ),
            HOLD=" ".join(packages.hold),
            UNHOLD=" ".join(packages.unhold),
        )


APT = Apt()


def pattern(branch: str) -> str:
    """`580` -> `580.*`; an exact driver version -> that version with any packaging revision."""
    return f"{branch}*" if "." in branch else f"{branch}.*"


def _flavour_of(wanted: Wanted) -> str:
    return debian.kernel_flavour(wanted)


def _few(names: Sequence[str]) -> str:
    """The last ones are what was asked for; the others come along."""
    return ", ".join(names[-2:]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _equal(versions: Mapping[str, str]) -> str:
    return " ".join(f"{name}={version}" for name, version in versions.items())

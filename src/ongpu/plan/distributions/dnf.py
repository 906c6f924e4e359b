"""Red Hat Enterprise Linux and its kin, Fedora, Amazon Linux: dnf 4 and dnf 5.

The branch is kept by our repository entry, which leaves out the other branches, and by the module stream where there
are streams; the versions by `dnf versionlock`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ongpu.host.paths import DNF_SOURCE, HEADER, OFFERS, RPM_KEY
from ongpu.plan import shell
from ongpu.plan.choice.branches import major
from ongpu.plan.distributions import keys, redhat
from ongpu.plan.distributions.base import (
    Install,
    OwnFile,
    PackageSet,
    Restore,
    Wanted,
    packages_with,
)
from ongpu.plan.distributions.rpm import ID, Rpm
from ongpu.plan.render import render
from ongpu.plan.types import Run

_PACKAGE_OF = {
    "gpg": "gnupg2",
    "sha256sum": "coreutils",
    "awk": "gawk",
    "update-ca-certificates": "ca-certificates",
}


class Dnf(Rpm):
    source_path = DNF_SOURCE

    def source(self, url: str, branch: str) -> OwnFile:
        lines = ("skip_if_unavailable=1", f"excludepkgs={','.join(other_branches(branch))}")
        return OwnFile(path=DNF_SOURCE, content=render("nvidia.repo.j2", id=ID, url=url, keyring=RPM_KEY, lines=lines))

    def driver_packages(self, wanted: Wanted) -> PackageSet:
        return redhat.packages(wanted)

    def tools(self, names: Sequence[str]) -> tuple[str, ...]:
        return packages_with(names, _PACKAGE_OF)

    def install_tools(self, packages: Sequence[str]) -> Run:
        return shell.run(f"install {', '.join(packages)}", "dnf", "dnf-tools", PACKAGES=" ".join(packages))

    def refresh(self, url: str, package: str, branch: str, *, own: bool) -> Run:
        return shell.run(
            f"read the package lists of {url}",
            "dnf",
            "offers",
            "dnf-update",
            SOURCE=self.source(url, branch).content,
            ID=ID,
            URL=url,
            PACKAGE=package,
            BRANCH=branch,
            SPOOL=keys.SPOOL,
            OFFERS=OFFERS,
            HEADER=HEADER,
        )

    def check_source(self, url: str, package: str) -> Run:
        return shell.run(f"add {url} to dnf's repositories", "dnf", "dnf-sees", ID=ID, URL=url, PACKAGE=package)

    def install(self, what: Install) -> Run:
        return shell.run(
            f"install the driver {what.version} ({', '.join(what.exact)})",
            "dnf",
            "dnf-lock",
            "dnf-driver",
            seconds=3600,
            INSTALL=_exact(what.exact),
            VERSION=what.version,
            STREAM=redhat.stream(what.wanted),
            HEADERS=redhat.headers(what.wanted.system),
            BUILDER=redhat.builder(what.wanted.system),
            EPEL=redhat.epel(what.wanted.system),
            KEYRING=RPM_KEY,
            EXTRAS="nvidia-persistenced nvidia-modprobe",
            REMOVE=" ".join(what.remove),
            OLD=_exact(what.old),
            BROKEN=" ".join(what.broken),
            HOLD="yes" if what.hold else "",
        )

    def fetch(self, what: Install) -> Run | None:
        return None

    def hold(self, names: Sequence[str]) -> Run:
        return shell.run(f"hold {', '.join(names)}", "dnf", "dnf-lock", "dnf-hold", NAMES=" ".join(names))

    def restore(self, packages: Restore, what: str) -> Run | None:
        if packages.exact:
            return None
        return shell.run(
            what,
            "dnf",
            "dnf-lock",
            "dnf-restore",
            seconds=3600,
            REMOVE=" ".join(packages.remove),
            HOLD=" ".join(packages.hold),
            UNHOLD=" ".join(packages.unhold),
        )


DNF = Dnf()


def other_branches(branch: str) -> tuple[str, ...]:
    """Patterns for every driver package of another branch: `580` -> *-3:[!5]*, *-3:5[!8]*, *-3:58[!0]*.

    NVIDIA's driver packages, and of its repositories only they, have the epoch 3 (dnf5-versionlock(8) shows it).
    """
    number = str(major(branch))
    return tuple(f"*-3:{number[:at]}[!{digit}]*" for at, digit in enumerate(number))


def _exact(versions: dict[str, str]) -> str:
    return " ".join(f"{name}-{version}" for name, version in versions.items())

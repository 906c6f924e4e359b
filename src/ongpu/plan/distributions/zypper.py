"""SLES and openSUSE Leap: zypper. The versions are kept by `zypper addlock`, the branch by the packages' generation."""

from __future__ import annotations

from collections.abc import Sequence

from ongpu.host.paths import HEADER, OFFERS, RPM_KEY, ZYPP_SOURCE
from ongpu.plan import shell
from ongpu.plan.distributions import keys, suse
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

_PACKAGE_OF = {"gpg": "gpg2", "sha256sum": "coreutils", "awk": "gawk", "update-ca-certificates": "ca-certificates"}


class Zypper(Rpm):
    source_path = ZYPP_SOURCE

    def source(self, url: str, branch: str) -> OwnFile:
        lines = ("autorefresh=1", "type=rpm-md", "keeppackages=0")
        return OwnFile(path=ZYPP_SOURCE, content=render("nvidia.repo.j2", id=ID, url=url, keyring=RPM_KEY, lines=lines))

    def driver_packages(self, wanted: Wanted) -> PackageSet:
        return suse.packages(wanted)

    def tools(self, names: Sequence[str]) -> tuple[str, ...]:
        return packages_with(names, _PACKAGE_OF)

    def install_tools(self, packages: Sequence[str]) -> Run:
        return shell.run(f"install {', '.join(packages)}", "zypper", "zypper-tools", PACKAGES=" ".join(packages))

    def refresh(self, url: str, package: str, branch: str, *, own: bool) -> Run:
        return shell.run(
            f"read the package lists of {url}",
            "zypper",
            "offers",
            "zypper-update",
            SOURCE=self.source(url, branch).content,
            ID=ID,
            URL=url,
            PACKAGE=package,
            BRANCH=branch,
            KEYRING=RPM_KEY,
            SPOOL=keys.SPOOL,
            OFFERS=OFFERS,
            HEADER=HEADER,
        )

    def check_source(self, url: str, package: str) -> Run:
        return shell.run(
            f"add {url} to zypper's repositories", "zypper", "zypper-sees", ID=ID, URL=url, PACKAGE=package
        )

    def install(self, what: Install) -> Run:
        return shell.run(
            f"install the driver {what.version} ({', '.join(what.exact)})",
            "zypper",
            "zypper-driver",
            seconds=3600,
            INSTALL=_exact(what.exact),
            ALSO=" ".join(what.also),
            VERSION=what.version,
            EXTRAS="nvidia-persistenced nvidia-modprobe",
            REMOVE=" ".join(what.remove),
            OLD=_exact(what.old),
            HOLD="yes" if what.hold else "",
        )

    def fetch(self, what: Install) -> Run | None:
        return None

    def hold(self, names: Sequence[str]) -> Run:
        return Run(
            command=f"zypper --non-interactive --quiet addlock {' '.join(names)}",
            what=f"hold {', '.join(names)}",
            seconds=120,
        )

    def restore(self, packages: Restore, what: str) -> Run | None:
        if packages.exact:
            return None
        return shell.run(
            what,
            "zypper",
            "zypper-restore",
            seconds=3600,
            REMOVE=" ".join(packages.remove),
            HOLD=" ".join(packages.hold),
            UNHOLD=" ".join(packages.unhold),
        )


ZYPPER = Zypper()


def _exact(versions: dict[str, str]) -> str:
    return " ".join(f"{name}={version}" for name, version in versions.items())

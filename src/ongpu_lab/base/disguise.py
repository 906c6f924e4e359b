"""A Debian tree that passes for an rpm distribution: real rpm, dnf or zypper, an empty rpm database, no dpkg, no apt.

Only what shows is the other distribution's: os-release, the package manager and its configuration. There is no file
system image of such a distribution to be had from Debian's archive.
"""

from __future__ import annotations

import shutil
from pathlib import Path

_ROCKY = """\
NAME="Rocky Linux"
VERSION="9.6 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.6"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.6 (Blue Onyx)"
"""
# As Rocky Linux 9 ships it: an unreachable repository is an error there.
_DNF = """\
[main]
gpgcheck=1
installonly_limit=3
clean_requirements_on_remove=True
best=True
skip_if_unavailable=False
module_platform_id=platform:el9
"""
_SLES = """\
NAME="SLES"
VERSION="15-SP6"
VERSION_ID="15.6"
PRETTY_NAME="SUSE Linux Enterprise Server 15 SP6"
ID="sles"
ID_LIKE="suse"
CPE_NAME="cpe:/o:suse:sles:15:sp6"
"""
_GONE = ("apt", "apt-cache", "apt-cdrom", "apt-config", "apt-get", "apt-key", "apt-mark", "dpkg", "dpkg-query")


def disguise(root: Path, suite: str) -> None:
    """Raises KeyError for a suite that nothing is known of."""
    {"rocky9": _rocky, "sles15": _sles}[suite](root)
    # Debian's rpm keeps a database for each user.
    (root / "etc/rpm").mkdir(exist_ok=True)
    (root / "etc/rpm/macros").write_text("%_dbpath /var/lib/rpm\n")
    for name in _GONE:
        (root / "usr/bin" / name).unlink(missing_ok=True)
    # dpkg-deb stays: tests take the stand-ins' files out of the packages that the lab builds.
    shutil.rmtree(root / "var/lib/dpkg")


def _rocky(root: Path) -> None:
    (root / "usr/lib/os-release").write_text(_ROCKY)
    (root / "etc/dnf/dnf.conf").write_text(_DNF)
    (root / "etc/dnf/vars").mkdir(exist_ok=True)
    (root / "etc/dnf/vars/releasever").write_text("9\n")
    for file in (root / "etc/yum.repos.d").glob("*"):
        file.unlink()
    # A package of its own there; its repository, which does not exist yet, would be an error.
    (root / "etc/dnf/plugins/local.conf").write_text("[main]\nenabled = false\n")


def _sles(root: Path) -> None:
    (root / "usr/lib/os-release").write_text(_SLES)
    for file in (root / "etc/zypp/repos.d").glob("*"):
        file.unlink()

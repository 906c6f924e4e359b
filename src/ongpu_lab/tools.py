"""What the lab needs from the machine, each with the Debian package that brings it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ongpu_lab import cgroup
from ongpu_lab.contain import run, search_path
from ongpu_lab.errors import LabError

PACKAGE_OF_TOOL = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
    "gpg": "gpg",
    "gpg-agent": "gpg-agent",
    "gcc": "gcc",
    "dpkg-deb": "dpkg",
    "apt-ftparchive": "apt-utils",
    "zstd": "zstd",
}
PACKAGE_OF_FILE = {
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "/usr/include/stdio.h": "libc6-dev",
}


def missing_tools() -> dict[str, str]:
    """What is not installed: tool or file -> Debian package. Empty when the machine has all."""
    tools = {name: package for name, package in PACKAGE_OF_TOOL.items() if not shutil.which(name, path=search_path())}
    files = {path: package for path, package in PACKAGE_OF_FILE.items() if not Path(path).exists()}
    return tools | files


def require_machine() -> None:
    """Check that a lab can run here. Raises LabError with one sentence otherwise."""
    if not sys.platform.startswith("linux"):
        raise LabError("The lab needs Linux: it boots Debian hosts with systemd-nspawn.")
    if os.geteuid() != 0:
        raise LabError("The lab needs root (namespaces, mounts): run this command with sudo.")
    if missing := missing_tools():
        packages = " ".join(sorted(set(missing.values())))
        names = ", ".join(sorted(missing))
        raise LabError(f"The lab lacks {names} on this machine: run `apt-get install {packages}`.")
    if not cgroup.roots():
        raise LabError(f"The lab finds no cgroups of systemd's under {cgroup.TOP}: mount cgroup2 there.")
    if not os.access(cgroup.roots()[0], os.W_OK) or not _may_unshare():
        raise LabError(
            "The lab may not make namespaces and cgroups here (an unprivileged container?): use a whole machine."
        )
    if not _knows_overlay():
        raise LabError("The kernel has no overlayfs, which the lab's hosts live on: load the module `overlay`.")


def _may_unshare() -> bool:
    probe = [
        "unshare",
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--propagation",
        "private",
        "mount",
        "-t",
        "tmpfs",
        "x",
        "/run",
    ]
    return run(probe, timeout=60).returncode == 0


def _knows_overlay() -> bool:
    def listed() -> bool:
        return "\toverlay\n" in Path("/proc/filesystems").read_text()

    if not listed() and (modprobe := shutil.which("modprobe", path=search_path())):
        os.spawnv(os.P_WAIT, modprobe, ["modprobe", "-q", "overlay"])
    return listed()

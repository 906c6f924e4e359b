"""From a fresh mmdebstrap tree to the blank server that all hosts of a suite share."""

from __future__ import annotations

import shutil
from pathlib import Path

from ongpu_lab.contain import run
from ongpu_lab.errors import LabError

SUDOER = "ops"  # administrator, sudo without password
VIEWER = "viewer"  # ordinary user, no sudo
USERS = (SUDOER, VIEWER)

_SSHD = """\
# Lab host: keys only, and the one host key that the lab has written into its known_hosts.
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 100
# One journal line per session: tests count them.
LogLevel VERBOSE
PrintMotd no
"""

_JOURNALD = """\
[Journal]
SystemMaxUse=64M
"""


def finish(root: Path) -> None:
    """Users, sshd, no identity, no package sources. Raises LabError when a command in the tree fails."""
    for user in USERS:
        _chroot(root, "useradd", "--create-home", "--shell", "/bin/bash", "--user-group", user)
    sudoers = root / f"etc/sudoers.d/{SUDOER}"
    sudoers.write_text(f"{SUDOER} ALL=(ALL:ALL) NOPASSWD: ALL\n")
    sudoers.chmod(0o440)
    (root / "etc/ssh/sshd_config.d/10-lab.conf").write_text(_SSHD)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/machine-id").write_text("")  # each host gets its own at its first boot
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("")  # an unreachable server would make sudo wait for its time limit
    (root / "etc/apt/sources.list").unlink(missing_ok=True)  # offline: only what the lab serves can be installed
    (root / "var/log/journal").mkdir(exist_ok=True)  # a journal that outlives reboots
    journald = root / "etc/systemd/journald.conf.d"
    journald.mkdir(parents=True, exist_ok=True)
    (journald / "10-lab.conf").write_text(_JOURNALD)
    for path in ("var/lib/dbus/machine-id", "etc/hostname"):
        (root / path).unlink(missing_ok=True)
    for directory in (root / "etc/apt/sources.list.d", root / "var/lib/apt/lists"):
        for entry in directory.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _chroot(root: Path, *argv: str) -> None:
    done = run(["chroot", str(root), *argv], timeout=60)
    if done.returncode != 0:
        raise LabError(f"`{' '.join(argv)}` failed in the base tree: {done.stderr.strip() or done.returncode}.")

"""A host's file systems: its own disk over the shared base tree. Runs in the supervisor's mount namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ongpu_lab.base.finish import USERS
from ongpu_lab.contain import clean_environment
from ongpu_lab.errors import LabError
from ongpu_lab.hosts.paths import mount_point
from ongpu_lab.layout import GATEWAY, HostShape

# A limit, not a reservation: tmpfs takes memory as it fills. As large as a real server's disk, because models count
# with their real sizes (their files in the lab are tiny).
DISK_BYTES = 512 << 30


@dataclass(frozen=True, slots=True)
class Identity:
    """What the lab puts into every host: who may log in, whom the host trusts, which names lead to the lab."""

    authorized_key: str
    ca_certificate: str
    ca_hash: str  # openssl's subject hash: the name under which OpenSSL finds it in /etc/ssl/certs
    vendor_names: tuple[str, ...]


class RootFs:
    """One host's disk (a tmpfs with a size limit) and root (an overlay of it over the base tree)."""

    def __init__(self, shape: HostShape, base: Path) -> None:
        self.shape = shape
        self.base = base
        self.disk = mount_point(shape.name) / "disk"
        self.root = mount_point(shape.name) / "root"

    def make(self) -> None:
        """Mount a new, empty disk. Raises LabError."""
        for directory in (self.disk, self.root):
            directory.mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "lab-disk", str(self.disk))
        upper, work = self.disk / "upper", self.disk / "work"
        upper.mkdir()
        work.mkdir()
        options = f"lowerdir={self.base},upperdir={upper},workdir={work}"
        _mount("-t", "overlay", "-o", options, "overlay", str(self.root))

    def remove(self) -> None:
        """Unmount and forget the disk; nothing to do where there is none."""
        for path in (self.root, self.disk):
            while os.path.ismount(path):
                _run("umount", "--lazy", str(path))

    def leave_free(self, free_bytes: int | None) -> None:
        """Shrink the disk so that this much is free; None gives back its full size."""
        size = DISK_BYTES
        if free_bytes is not None:
            stat = os.statvfs(self.disk)
            size = (stat.f_blocks - stat.f_bfree) * stat.f_frsize + free_bytes
        _mount("-o", f"remount,size={size}", str(self.disk))


def personalise(root: Path, shape: HostShape, host_key: Path, identity: Identity) -> None:
    """Make a blank server this host: name, names of others, keys, trust."""
    (root / "etc/hostname").write_text(shape.name + "\n")
    (root / "etc/hosts").write_text(hosts_file(shape.name, identity.vendor_names))
    key = root / "etc/ssh" / host_key.name
    shutil.copyfile(host_key, key)
    key.chmod(0o600)
    for user in ("root", *USERS):
        _authorise(root / ("root" if user == "root" else f"home/{user}"), identity.authorized_key)
    _trust(root, identity)


def hosts_file(name: str, vendor_names: tuple[str, ...]) -> str:
    """/etc/hosts. The host's own name must be in it: sudo waits for a name server otherwise."""
    vendors = [f"{GATEWAY} {vendor}" for vendor in vendor_names]
    return "\n".join(["127.0.0.1 localhost", f"127.0.1.1 {name}", "::1 localhost ip6-localhost", *vendors]) + "\n"


def _authorise(home: Path, public_key: str) -> None:
    owner = home.stat()
    directory = home / ".ssh"
    directory.mkdir(exist_ok=True)
    file = directory / "authorized_keys"
    file.write_text(public_key)
    for path, mode in ((directory, 0o700), (file, 0o600)):
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(mode)


def _trust(root: Path, identity: Identity) -> None:
    """What update-ca-certificates(8) would do, without a second of OpenSSL per host."""
    source = root / "usr/local/share/ca-certificates/ongpu-lab.crt"
    source.write_text(identity.ca_certificate)
    certs = root / "etc/ssl/certs"
    bundle = certs / "ca-certificates.crt"
    if identity.ca_certificate not in (text := bundle.read_text()):
        bundle.write_text(text + identity.ca_certificate)
    for link, target in (("ongpu-lab.pem", f"/{source.relative_to(root)}"), (f"{identity.ca_hash}.0", "ongpu-lab.pem")):
        (certs / link).unlink(missing_ok=True)
        (certs / link).symlink_to(target)


def _mount(*arguments: str) -> None:
    _run("mount", *arguments)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=clean_environment())
    if done.returncode != 0:
        raise LabError(f"`{' '.join(argv)}` failed: {done.stderr.strip() or done.returncode}.")

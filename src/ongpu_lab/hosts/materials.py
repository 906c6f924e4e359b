"""Keys and certificates of one lab. Made per lab, never shared, gone with it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ongpu_lab.contain import run
from ongpu_lab.errors import LabError
from ongpu_lab.hosts.paths import LabDir

HOST_KEY = "ssh_host_ed25519_key"
DAYS = "397"
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256", "-days", DAYS)


def ssh_key(path: Path, comment: str) -> None:
    """An ed25519 key pair without a passphrase, kept if it is there."""
    if not path.exists():
        _tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))


def certificates(lab: LabDir, lab_id: str, names: tuple[str, ...]) -> None:
    """ca.crt, and server.crt with server.key for the vendors' names. The CA's own key is destroyed at once:
    nothing else can ever be signed with it."""
    with tempfile.TemporaryDirectory(dir=lab.root, prefix=".ca-") as scratch:
        ca_key = f"{scratch}/ca.key"
        subject = f"/O=ongpu lab/CN=ongpu lab {lab_id}"
        _tool(
            "openssl", "req", "-x509", *_EC, "-keyout", ca_key, "-out", str(lab / "ca.crt"), "-subj", subject,
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        _tool(
            "openssl", "req", "-x509", *_EC, "-CA", str(lab / "ca.crt"), "-CAkey", ca_key,
            "-keyout", str(lab / "server.key"), "-out", str(lab / "server.crt"), "-subj", f"/CN={names[0]}",
            "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
            "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth",
        )  # fmt: skip
    (lab / "server.key").chmod(0o600)


def ca_hash(certificate: Path) -> str:
    return _tool("openssl", "x509", "-noout", "-subject_hash", "-in", str(certificate)).strip()


def _tool(*argv: str) -> str:
    done = run(argv, timeout=60)
    if done.returncode != 0:
        raise LabError(f"`{argv[0]} {argv[1]}` failed: {done.stderr.strip() or done.returncode}.")
    return done.stdout

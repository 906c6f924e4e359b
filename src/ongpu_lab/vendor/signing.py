"""A lab's own signing key. It stays in a scratch directory that is gone when the repositories are signed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ongpu_lab.contain import contained
from ongpu_lab.errors import LabError

_USER = "ongpu lab (signs nothing real) <lab@ongpu.invalid>"


class SigningKey:
    """Use as a context manager. Raises LabError with gpg's words."""

    def __init__(self) -> None:
        # A short path: gpg's agent listens on a socket in it.
        self._home = Path(tempfile.mkdtemp(prefix="ongpu-gpg-"))
        self._home.chmod(0o700)
        self.fingerprint = ""

    def __enter__(self) -> SigningKey:
        try:
            self._gpg("--passphrase", "", "--quick-generate-key", _USER, "ed25519", "sign", "never")
            listing = self._gpg("--with-colons", "--list-keys").decode()
            self.fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self._home), "--kill", "all"], capture_output=True, check=False)
        shutil.rmtree(self._home, ignore_errors=True)

    def armoured(self) -> str:
        """The public key."""
        return self._gpg("--armor", "--export", self.fingerprint).decode()

    def binary(self) -> bytes:
        """The public key, as apt's `.gpg` keyrings hold it."""
        return self._gpg("--export", self.fingerprint)

    def sign(self, release: Path) -> None:
        """Write InRelease and Release.gpg beside a Release file."""
        for option, name in (("--clearsign", "InRelease"), ("--detach-sign", "Release.gpg")):
            out = release.with_name(name)
            out.unlink(missing_ok=True)
            armour = ["--armor"] if option == "--detach-sign" else []
            self._gpg(*armour, "--output", str(out), option, str(release))

    def _gpg(self, *arguments: str) -> bytes:
        command = ["gpg", "--homedir", str(self._home), "--batch", "--quiet", *arguments]
        if os.geteuid() == 0:  # gpg leaves an agent behind, which would outlive a lab that is killed here
            command = contained(command)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            raise LabError(f"The lab cannot make its signing key: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

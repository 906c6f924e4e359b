"""What is in a base tree. Everything that shapes it goes into its key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

VERSION = 2  # raise it when build.py or finish.py changes what the tree holds

PACKAGES = (
    "ca-certificates",
    "curl",
    "dbus",
    "gpg",
    "gpgv",
    "iproute2",
    "kmod",
    "less",
    "libpam-systemd",
    "openssh-server",
    "pciutils",
    "procps",
    "sudo",
    "systemd",
    "systemd-sysv",
    "zstd",
)
EXCLUDED = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A blank Debian server: systemd, sshd, sudo; no driver, no Ollama, no Python."""

    suite: str
    packages: tuple[str, ...] = PACKAGES
    excluded: tuple[str, ...] = EXCLUDED
    version: int = VERSION

    @property
    def key(self) -> str:
        """Directory name in the cache: the suite and a digest of the recipe."""
        parts = (self.suite, *self.packages, *self.excluded, str(self.version))
        return f"{self.suite}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"

    def argv(self, target: str, sources: list[str]) -> list[str]:
        """The mmdebstrap command line. No source at all: mmdebstrap takes its own default."""
        return [
            "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
            f"--include={','.join(self.packages)}",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in self.excluded),
            self.suite, target, *sources,
        ]  # fmt: skip

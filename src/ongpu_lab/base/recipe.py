"""What is in a base tree. Everything that shapes it goes into its key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

DISGUISE = 4  # raise it when disguise.py changes
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
# A suite that is another one with more in it, and passes for another distribution (disguise.py).
ON = {"rocky9": "bookworm", "sles15": "bookworm"}
MORE = {
    "rocky9": ("createrepo-c", "dnf", "dnf-plugins-core", "gpg-agent", "rpm"),
    "sles15": ("createrepo-c", "gpg-agent", "python3", "rpm", "zypper"),
}
EXCLUDED = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A blank Debian server: systemd, sshd, sudo; no driver, no Ollama, no Python."""

    suite: str
    packages: tuple[str, ...] = PACKAGES
    excluded: tuple[str, ...] = EXCLUDED
    version: int = VERSION
    disguise: str = ""

    @classmethod
    def of(cls, suite: str) -> Recipe:
        """Of Debian's suites, or of one that passes for another distribution."""
        return cls(
            ON.get(suite, suite), packages=(*PACKAGES, *MORE.get(suite, ())), disguise=suite if suite in ON else ""
        )

    @property
    def key(self) -> str:
        """Directory name in the cache: the suite and a digest of the recipe."""
        parts = (self.suite, *self.packages, *self.excluded, str(self.version))
        if self.disguise:
            parts += (self.disguise, str(DISGUISE))
        return f"{self.disguise or self.suite}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"

    def argv(self, target: str, sources: list[str]) -> list[str]:
        """The mmdebstrap command line. No source at all: mmdebstrap takes its own default."""
        return [
            "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
            f"--include={','.join(self.packages)}",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in self.excluded),
            self.suite, target, *sources,
        ]  # fmt: skip

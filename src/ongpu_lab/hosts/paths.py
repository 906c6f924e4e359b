"""Where everything of one lab is. Nothing else of the machine is written to, but the cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ongpu_lab.errors import LabError

# Inside the supervisor's own mount namespace; dies with it.
RUN = Path("/run/ongpu-lab")
# What a lab directory may hold. `down` removes these and nothing else.
ENTRIES = (
    "state.json",
    "lab.log",
    "access.log",
    "serve.ini",
    "faults.json",
    "control.sock",
    "ssh_config",
    "known_hosts",
    "id_ed25519",
    "id_ed25519.pub",
    "nvidia-key.asc",
    "ca.crt",
    "server.crt",
    "server.key",
    "www",
    "hosts",
)


@dataclass(frozen=True, slots=True)
class LabDir:
    """One lab's directory, an absolute path."""

    root: Path

    @classmethod
    def at(cls, path: str | Path) -> LabDir:
        """Raises LabError for a place where a lab cannot be."""
        root = Path(path).absolute()
        if any(letter in '"%\n\\' for letter in str(root)):
            raise LabError(f"A lab cannot be in {root}: ssh_config cannot hold such a path; choose another with --dir.")
        # The supervisor hides /run behind its own.
        if root.resolve().is_relative_to("/run") or root.resolve() == Path("/"):
            raise LabError(f"A lab cannot be in {root}: choose a directory outside of /run with --dir.")
        return cls(root)

    def __truediv__(self, name: str) -> Path:
        assert name in ENTRIES, name
        return self.root / name

    def host(self, name: str) -> Path:
        """A host's directory: console.log, journal/, ssh.sock, host key, simulated hardware."""
        return self.root / "hosts" / name

    def lock(self) -> Path:
        """Held while a lab is brought up or taken down. It stays: removing a lock file is a race."""
        return self.root / "lock"


def mount_point(host: str) -> Path:
    """A host's file systems, in the supervisor's mount namespace: disk/ (tmpfs with upper, work) and root/."""
    return RUN / host

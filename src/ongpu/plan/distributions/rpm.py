"""What dnf and zypper have in common: NVIDIA's repositories, one key file for rpm, no driver in their own archive."""

from __future__ import annotations

from ongpu.host.paths import RPM_KEY
from ongpu.host.system import System
from ongpu.plan.distributions import keys, nvidia
from ongpu.plan.distributions.base import DefaultRepository
from ongpu.plan.types import Run

ID = "ongpu-nvidia"  # of our repository entry


class Rpm:
    keyring = RPM_KEY

    def default_repository(self, system: System) -> DefaultRepository | None:
        return nvidia.default_repository(system)

    def archive(self, system: System) -> str:
        return f"{system.os_name or system.os_id}'s own repositories"

    def archive_branches(self, system: System) -> tuple[str, ...]:
        return ()

    def pin(self, branch: str) -> None:
        return None

    def fetch_key(self, url: str, fingerprint: str) -> Run:
        return keys.fetch(url, fingerprint, RPM_KEY, capitals=True)

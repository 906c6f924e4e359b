"""The signing key of a repository: fetched, compared with its fingerprint, stored. The same for every manager."""

from __future__ import annotations

from ongpu.host.paths import HEADER, STATE_DIR
from ongpu.plan import shell
from ongpu.plan.types import Run

SPOOL = f"{STATE_DIR}/spool"


def fetch(url: str, fingerprint: str, keyring: str, *, capitals: bool) -> Run:
    """`url` of the repository, ending in a slash; NVIDIA names the file there by the fingerprint's last eight digits,
    in `capitals` or not: that way is tried first."""
    names = [f"{fingerprint[-8:].lower()}.pub", f"{fingerprint[-8:].upper()}.pub"]
    return shell.run(
        f"fetch the signing key {fingerprint}",
        "fetch",
        "signing-key",
        URL=url,
        FINGERPRINT=fingerprint,
        NAMES=" ".join(reversed(names) if capitals else names),
        KEYRING=keyring,
        HEADER=HEADER,
        SPOOL=SPOOL,
    )

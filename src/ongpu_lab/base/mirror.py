"""Where the machine itself gets Debian from: the lab asks the same mirror and trusts the same keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ongpu_lab.contain import run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_FORMAT = "$(REPO_URI)|$(COMPONENT)|$(ORIGIN)|$(LABEL)|$(RELEASE)"
# Without downloaded lists apt knows no origin; then the suite's name must do.
_DEBIAN_SUITE = re.compile(r"(?:bullseye|bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A Debian archive by its URI, as apt on this machine is configured."""

    uri: str

    def source(self, suite: str, keyring: Path = KEYRING) -> str:
        """The one-line sources.list entry for a suite."""
        return f"deb [signed-by={keyring}] {self.uri} {suite} main"


def parse_targets(text: str) -> Mirror | None:
    """The first Debian archive in the output of `apt-get indextargets --format ...`.

    Sample line (apt 2.6.1): `http://mirror.example/debian/|main|Debian|Debian|bookworm`; before the first
    `apt-get update` the origin and the label read `$(ORIGIN)` and `$(LABEL)`.
    """
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != 5 or fields[1] != "main":
            continue
        uri, _, origin, label, release = fields
        if (origin == "Debian" and label == "Debian") or (origin.startswith("$") and _DEBIAN_SUITE.fullmatch(release)):
            return Mirror(uri)
    return None


def configured_mirror() -> Mirror | None:
    """The Debian archive of the machine's apt sources; None on a machine of another distribution."""
    return parse_targets(
        run(["apt-get", "indextargets", "--format", _FORMAT, "Identifier: Packages"], timeout=60).stdout
    )

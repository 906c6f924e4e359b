"""Flat apt repositories as NVIDIA's: all packages, the index and its signature in one directory."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from ongpu_lab.vendor.signing import SigningKey


def write_index(directory: Path, stanzas: Iterable[str], key: SigningKey) -> None:
    """Write Packages, Packages.gz, Release, InRelease and Release.gpg."""
    text = "\n".join(stanzas).encode()
    (directory / "Packages").write_bytes(text)
    (directory / "Packages.gz").write_bytes(gzip.compress(text, mtime=0))
    release = directory / "Release"
    release.write_text(release_text([directory / "Packages", directory / "Packages.gz"], datetime.now(UTC)))
    key.sign(release)


def release_text(indexes: list[Path], date: datetime) -> str:
    """The Release file for these index files, with the fields of NVIDIA's own."""
    lines = [
        "Origin: NVIDIA",
        "Label: NVIDIA CUDA",
        "Architecture: amd64",
        f"Date: {date.strftime('%a, %d %b %Y %H:%M:%S')} UTC",
    ]
    for title, algorithm in (("MD5Sum", hashlib.md5), ("SHA256", hashlib.sha256)):
        lines.append(f"{title}:")
        for path in indexes:
            data = path.read_bytes()
            lines.append(f" {algorithm(data).hexdigest()} {len(data):>8} {path.name}")
    return "\n".join(lines) + "\n"


def publish_key(directory: Path, key: SigningKey, names: Iterable[str]) -> None:
    """The public key as NVIDIA publishes it, under the given names and under the last eight digits of its own."""
    short = key.fingerprint[-8:]
    for name in {*names, f"{short.lower()}.pub", f"{short.upper()}.pub"}:
        (directory / name).write_text(key.armoured())

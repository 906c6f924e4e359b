"""Finds the files that ship with ongpu (templates/, deploys/) in a checkout and in an installed wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ongpu.errors import OngpuError


@cache
def directory(name: str) -> Path:
    """`templates` or `deploys`. The wheel carries them as ongpu/_data; a checkout has them at its top."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "_data" / name, package.parent.parent / name):
        if candidate.is_dir():
            return candidate
    raise OngpuError(f"ongpu is installed without its {name}/ directory: install it again")

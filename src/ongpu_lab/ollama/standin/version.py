"""The version that the programs say they are; the release's build writes it next to them."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(os.path.realpath(os.environ.get("ONGPU_LAB_EXE") or "/proc/self/exe")).parent


def _read() -> str:
    override = os.environ.get("ONGPU_LAB_OLLAMA_VERSION")
    if override:
        return override
    for folder in (_FOLDER.parent / "lib/ollama", _FOLDER):
        try:
            return (folder / ".lab" / "VERSION").read_text().strip()
        except OSError:
            continue
    return "0.0.0"


VERSION = _read()

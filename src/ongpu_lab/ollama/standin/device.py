"""A GPU as the server sees it, and the environment of a child that uses it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from . import layout


@dataclass(frozen=True)
class Device:
    """A GPU that models may be put on; sizes in bytes. `filter_id` is what its visibility variable is set to."""

    index: int
    filter_id: str
    library: str
    name: str
    description: str
    directory: Path
    compute: tuple[int, int]
    driver: tuple[int, int]
    branch: int
    pci_id: str
    total: int
    free: int
    integrated: bool = False

    @property
    def libdirs(self) -> str:
        return f"{layout.library_dir().name},{self.directory.name}"


def child_environment(directory: Path | None, extra: dict[str, str] | None = None) -> dict[str, str]:
    """The server's environment with what Ollama adds for a child that uses this backend directory."""
    base = layout.library_dir()
    paths = [str(base), *([str(directory)] if directory else [])]
    if os.environ.get("LD_LIBRARY_PATH"):
        paths.append(os.environ["LD_LIBRARY_PATH"])
    environment = dict(os.environ) | {"LD_LIBRARY_PATH": ":".join(paths)}
    environment.pop("GGML_BACKEND_PATH", None)
    backend = layout.backend_library(directory) if directory else None
    if backend:
        environment["GGML_BACKEND_PATH"] = str(backend)
    return environment | (extra or {})

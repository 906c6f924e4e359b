"""Where Ollama's libraries are (ml/path.go), and what each directory of them can do."""

from __future__ import annotations

import os
from pathlib import Path

from . import lab

# Compiled CUDA architectures as llama-server prints them (llama/server/CMakePresets.json)
ARCHS = {
    "cuda_v12": (500, 520, 600, 610, 700, 750, 800, 860, 890, 900, 1000, 1200),
    "cuda_v13": (750, 800, 860, 870, 890, 900, 1000, 1030, 1100, 1200, 1210),
}
RUNTIME = {"cuda_v12": (12, 8), "cuda_v13": (13, 0)}
_CUDA_13_BRANCH = 580  # the first driver branch that runs CUDA 13


def library_dir() -> Path:
    """`lib/ollama` of the running binary, else the binary's own directory."""
    return next((place for place in _places() if place.is_dir()), lab.executable().parent)


def _places() -> list[Path]:
    folder = lab.executable().parent
    cwd = Path(os.sep)
    inner = ("build/lib/ollama", "dist/linux-amd64/lib/ollama", "dist/linux_amd64/lib/ollama")
    return [
        folder.parent / "lib/ollama",
        folder / "lib/ollama",
        *(base / part for base in (folder, cwd) for part in inner),
    ]


def llama_server() -> Path:
    """The runner's program. Raises FileNotFoundError with Ollama's message."""
    folder = lab.executable().parent
    path = library_dir() / "llama-server"
    if os.access(path, os.X_OK):
        return path
    checked = [folder / "llama-server", *(place / "llama-server" for place in _places())]
    raise FileNotFoundError(
        f"llama-server binary not found (checked: {', '.join(map(str, checked))}). "
        "Run 'cmake -S llama/server --preset cpu && cmake --build --preset cpu' first "
    )


def backends() -> list[Path]:
    """Directories below `lib/ollama` with a GGML library."""
    return sorted({path.parent for path in library_dir().glob("*/*ggml-*") if path.parent.name != ".lab"})


def backend_library(directory: Path) -> Path | None:
    """What GGML_BACKEND_PATH names: the first GPU library of the directory."""
    return next(iter(sorted(directory.glob("libggml-*.so"))), None)


def can_run(directory: str, branch: int) -> bool:
    """Whether the CUDA runtime of this directory starts under that driver branch; 0 is unknown."""
    return directory != "cuda_v13" or branch == 0 or branch >= _CUDA_13_BRANCH

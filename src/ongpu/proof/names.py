"""Ollama's names of models and of their files, as far as comparing them needs it."""

from __future__ import annotations

from ongpu.host.model_name import full as full


def blob(path: str) -> str:
    """The file name of a blob path, `sha256-...`: the store may be reached by several paths."""
    return path.rstrip("/").rpartition("/")[2].replace("sha256:", "sha256-")

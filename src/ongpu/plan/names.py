"""Names of models as the API lists them."""

from __future__ import annotations


def full_name(name: str) -> str:
    """`llama3.1` -> `llama3.1:latest` (Ollama, types/model/name.go)."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"

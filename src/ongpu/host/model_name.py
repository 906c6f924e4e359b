"""Ollama's model names, as far as comparing them needs it."""

from __future__ import annotations

# What Ollama leaves out when it prints a name (types/model/name.go, DisplayShortest).
_DEFAULT_HOST = "registry.ollama.ai/"
_DEFAULT_NAMESPACE = "library/"


def full(name: str) -> str:
    """`llama3.1`, `library/llama3.1:latest`, `Llama3.1:LATEST` -> `llama3.1:latest`: one spelling for each model.

    Ollama compares names without regard to case, and the tag `latest` is the default.
    """
    text = name.strip().lower().removeprefix("https://").removeprefix("http://")
    text = text.removeprefix(_DEFAULT_HOST).removeprefix(_DEFAULT_NAMESPACE)
    return text if ":" in text.rpartition("/")[2] else f"{text}:latest"

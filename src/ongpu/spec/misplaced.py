"""Keys that a host's model has, but that have their place elsewhere in the inventory. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Key -> why it does not belong into `defaults`, a group or a host.
INTERNAL = ("name", "origin")
TOP_ONLY = ("releases", "rollout")
HOST_ONLY = ("groups", "skip")


def misplaced(part: str, entry: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path in the entry, sentence) for an entry of `defaults`, `groups` or `hosts`."""
    for key in entry:
        if key in INTERNAL:
            yield (key,), "unknown key; a host's name is its key under `hosts:`"
        elif key in TOP_ONLY:
            yield (key,), f"belongs at the top of the file, beside `hosts:`, not under `{part}:`"
        elif key in HOST_ONLY and part != "hosts":
            yield (key,), "belongs to a host, under `hosts:`"
    repository = _inner(_inner(entry, "driver"), "repository")
    if "key_text" in repository:
        yield ("driver", "repository", "key_text"), "unknown key; did you mean key?"


def without(part: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry without its misplaced keys at the top, so that each is told once."""
    gone = {path[0] for path, _ in misplaced(part, entry) if len(path) == 1}
    return {key: value for key, value in entry.items() if key not in gone}


def _inner(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, Mapping) else {}

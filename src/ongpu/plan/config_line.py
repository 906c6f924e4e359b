"""What Ollama made of its variables: the settings that it logs at its start, against what is declared.

The process's environment says what it was given, this line what it took: a value that it could not read is replaced by
the default there, with a warning that nobody sees. Source: Ollama, envconfig/config.go (AsMap) and the `server config`
lines of releases 0.5 to 0.33. Variables that the line does not name are llama.cpp's, and not judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ongpu.host.duration import go_seconds
from ongpu.plan.secrets import shown
from ongpu.spec.variables import BOOLEANS, DURATIONS, WHOLE_NUMBERS

_FALSE = ("0", "false", "f", "")
# OLLAMA_DEBUG is a boolean in releases before numeric levels, else slog's level.
_LEVELS = {"0": ("INFO", "false"), "1": ("DEBUG", "true"), "2": ("DEBUG-4", "TRACE", "true")}
_FOR_EVER = 1e9  # seconds: a negative duration becomes the longest that Go can hold


def misread(declared: Mapping[str, str], line: Mapping[str, str]) -> list[str]:
    """Variables that the server took for something else, each in a few words; empty where it took all as they are
    meant, or `line` is empty (not in the journal any more)."""
    return [
        f"{name} is declared as {shown(name, value)}, but the running Ollama took it for "
        f"{shown(name, line[name]) or 'nothing'}"
        for name, value in declared.items()
        if name in line and not _same(name, value, line[name])
    ]


def _same(name: str, value: str, taken: str) -> bool:
    return value == taken or _judge(name)(value, taken)


def _judge(name: str) -> Callable[[str, str], bool]:
    if name in BOOLEANS:
        return _same_boolean
    if name in WHOLE_NUMBERS:
        return _same_number
    if name in DURATIONS:
        return _same_duration
    special = {"OLLAMA_HOST": _same_address, "OLLAMA_DEBUG": _same_level, "OLLAMA_KV_CACHE_TYPE": _same_word}
    if name in special:
        return special[name]
    # Of CUDA's only the choice of GPUs is logged; lists are logged with Ollama's own entries, proxies may hold secrets.
    return (lambda value, taken: False) if name in ("CUDA_VISIBLE_DEVICES", "OLLAMA_MODELS") else _unjudged


def _same_number(value: str, taken: str) -> bool:
    return value.lstrip("0") == taken.lstrip("0")


def _same_boolean(value: str, taken: str) -> bool:
    return (value.lower() in _FALSE) == (taken.lower() in _FALSE)  # any other word is true to Ollama


def _same_duration(value: str, taken: str) -> bool:
    meant, got = go_seconds(value), go_seconds(taken)
    if meant is None or got is None:
        return True  # a notation that this side does not know says nothing about the other
    return got > _FOR_EVER or got < 0 if meant < 0 else meant == got or (meant == 0 and got > _FOR_EVER)


def _same_address(value: str, taken: str) -> bool:
    return f"http://{value}".rstrip("/") == taken.rstrip("/")


def _same_level(value: str, taken: str) -> bool:
    level = {"true": "1", "t": "1", "false": "0", "f": "0"}.get(value.lower(), value)
    return level not in _LEVELS or taken in _LEVELS[level]


def _same_word(value: str, taken: str) -> bool:
    return value.lower() == taken.lower()


def _unjudged(value: str, taken: str) -> bool:
    return True

"""Result record -> text. One file per format, each with `render(result) -> str`; found by its file name.

A format whose readers have exit codes of their own also has `exit_code(result) -> int`, and `trouble(sentence)` for
what it says, and with which code, when there is no result at all.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import cast

from ongpu.host.result import FleetResult

Render = Callable[[FleetResult], str]


def formats() -> tuple[str, ...]:
    """Names of all formats: the modules of this package."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_")))


def exit_code(name: str, result: FleetResult) -> int:
    """The exit code of a run whose main format is `name`."""
    own = getattr(_module(name), "exit_code", None)
    return int(own(result)) if own else int(result.exit_code)


def trouble(name: str, sentence: str) -> tuple[str, int] | None:
    """What a format with exit codes of its own says about an error of ongpu; None for the others."""
    own = getattr(_module(name), "trouble", None)
    return cast("tuple[str, int]", own(sentence)) if own else None


def renderer(name: str) -> Render:
    """The render function of a format. Raises KeyError for an unknown name."""
    return cast("Render", _module(name).render)


def _module(name: str) -> ModuleType:
    if name not in formats():
        raise KeyError(name)
    return import_module(f"{__name__}.{name}")

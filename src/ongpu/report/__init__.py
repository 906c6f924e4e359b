"""Result record -> text. One file per format, each with `render(result) -> str`; found by its file name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from ongpu.host.result import FleetResult

Render = Callable[[FleetResult], str]


def formats() -> tuple[str, ...]:
    """Names of all formats: the modules of this package."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_")))


def renderer(name: str) -> Render:
    """The render function of a format. Raises KeyError for an unknown name."""
    if name not in formats():
        raise KeyError(name)
    return cast("Render", import_module(f"{__name__}.{name}").render)

"""The witnesses: each file here that defines `WITNESS` is one. Adding a witness is adding a file."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ongpu.proof.witness import Witness


@cache
def all_witnesses() -> tuple[Witness, ...]:
    """Every witness, by rank."""
    found = (import_module(f"{__name__}.{module.name}").WITNESS for module in iter_modules(__path__))
    return tuple(sorted(found, key=lambda witness: (witness.rank, witness.name)))

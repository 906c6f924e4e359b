"""CUDA toolkit against driver and GPU: the host needs no toolkit for Ollama, but one that is declared must work.

Sources: NVIDIA, CUDA toolkit release notes (tables of minimum and of corresponding driver versions); release notes of
13.0 (no code for Maxwell, Pascal and Volta any more) and 12.8 (Blackwell).
"""

from __future__ import annotations

from collections.abc import Sequence

from ongpu.plan.choice.branches import numbers, reaches, said
from ongpu.plan.choice.chips import Architecture, Card

# Minor version compatibility: any toolkit of a major version runs from this driver on.
_MAJOR = {11: (450, 80, 2), 12: (525, 60, 13), 13: (580, 65, 6)}
# The driver that came with it: below, what needs the newer compiler in the driver fails.
_CAME_WITH = {
    "11.8": (520, 61, 5),
    "12.0": (525, 60, 13),
    "12.1": (530, 30, 2),
    "12.2": (535, 54, 3),
    "12.3": (545, 23, 6),
    "12.4": (550, 54, 14),
    "12.8": (570,),
    "12.9": (575,),
    "13.0": (580, 65, 6),
    "13.2": (595, 45, 4),
}
_LAST_TOOLKIT = {
    Architecture.KEPLER: 11,
    Architecture.MAXWELL: 12,
    Architecture.PASCAL: 12,
    Architecture.VOLTA: 12,
}
_FIRST_FOR_BLACKWELL = (12, 8)


def objection(toolkit: str, driver: str, cards: Sequence[Card]) -> str:
    """Why this toolkit (`12.8`, `12.8.1`) cannot work with this driver (a branch or version) and these GPUs.

    Empty if it can.
    """
    version = numbers(toolkit)
    least = _MAJOR.get(version[0]) if version else None
    if least is None:
        return f"ongpu does not know CUDA toolkit {toolkit}, only {', '.join(f'{major}.x' for major in _MAJOR)}"
    if driver and not reaches(driver, least):
        return f"CUDA toolkit {toolkit} needs driver {said(least)} or newer, not {driver}"
    for card in cards:
        last = _LAST_TOOLKIT.get(card.architecture) if card.architecture else None
        if last and version[0] > last:
            return f"{card}: CUDA {last}.x was the last toolkit for it, not {toolkit}"
        if card.architecture is Architecture.BLACKWELL and version[:2] < _FIRST_FOR_BLACKWELL:
            return f"{card}: CUDA 12.8 was the first toolkit for it, not {toolkit}"
    return ""


def reservation(toolkit: str, driver: str) -> str:
    """What may not work although the toolkit runs; empty if nothing."""
    came_with = _CAME_WITH.get(".".join(toolkit.split(".")[:2]))
    if came_with is None or not driver or reaches(driver, came_with):
        return ""
    return f"CUDA toolkit {toolkit} came with driver {said(came_with)}: PTX that it makes does not load with {driver}"

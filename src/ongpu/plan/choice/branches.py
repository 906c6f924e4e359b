"""NVIDIA's driver branches: which GPUs each drives, and with which kernel modules.

Sources: NVIDIA data centre driver documentation, "CUDA toolkit, driver and architecture matrix" (last branch for Kepler
470, for Maxwell, Pascal and Volta 580; Blackwell by open modules only) and "Driver lifecycle"; release notes of the
drivers (first driver for a GPU); github.com/NVIDIA/open-gpu-kernel-modules, README (open modules since 515, for Turing
and later); driver installation guides 610, 615 and 620 (the proprietary modules end; Ubuntu's and the RPM packages are
open only from 615).
"""

from __future__ import annotations

from ongpu.plan.choice.chips import Architecture, Card

# Supported longest of those that drive everything since Maxwell (LTS, to June 2028), then the production branch.
PREFERRED = ("580", "595")

FIRST_OPEN = 515
OPEN_BY_DEFAULT = 560  # NVIDIA's own installer takes the open modules from here on
LAST_PROPRIETARY = 614

_LAST = {
    Architecture.FERMI: 390,
    Architecture.KEPLER: 470,
    Architecture.MAXWELL: 580,
    Architecture.PASCAL: 580,
    Architecture.VOLTA: 580,
}
_FIRST: dict[tuple[int, int], tuple[int, ...]] = {
    (7, 5): (410,),
    (8, 0): (450, 36, 6),
    (8, 6): (455, 23, 4),
    (8, 9): (525, 60, 11),
    (9, 0): (525, 60, 13),
    (10, 0): (570, 133, 20),
    (10, 3): (580, 82, 7),
    (11, 0): (580,),
    (12, 0): (570, 86, 16),
    (12, 1): (580,),
}
_FIRST_RTX_PRO = (575, 57, 8)


def major(branch: str) -> int:
    """`580` or `580.95.05` -> 580; 0 for what is no driver branch."""
    head = branch.split(".")[0]
    return int(head) if head.isdecimal() else 0


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def reaches(branch: str, floor: tuple[int, ...]) -> bool:
    """A branch (`570`) stands for its newest release; an exact version for itself."""
    have = numbers(branch)
    return have[:1] >= floor[:1] if len(have) < 2 else have >= floor


def last_branch(card: Card) -> int | None:
    """None = still driven."""
    return _LAST.get(card.architecture) if card.architecture else None


def first_driver(card: Card) -> tuple[int, ...]:
    """Empty where it is not known."""
    if card.architecture is Architecture.BLACKWELL and card.name.startswith("RTX PRO"):
        return _FIRST_RTX_PRO
    return _FIRST.get(card.capability, ()) if card.capability else ()


def only_proprietary(card: Card) -> bool:
    """Before Turing there is no GPU System Processor, which the open modules need."""
    return card.architecture is not None and card.architecture <= Architecture.VOLTA


def only_open(card: Card) -> bool:
    return card.grace or (card.architecture is not None and card.architecture >= Architecture.BLACKWELL)


def said(floor: tuple[int, ...]) -> str:
    """(570, 133, 20) -> `570.133.20`; the numbers after the first have two digits at least."""
    return ".".join([str(floor[0]), *(f"{number:02d}" for number in floor[1:])])

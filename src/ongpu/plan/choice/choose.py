"""The decision: does one driver branch drive all GPUs for Ollama, and with which kernel modules?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from ongpu.host.gpu import PciGpu
from ongpu.plan.choice import branches
from ongpu.plan.choice.chips import Architecture, Card, identify
from ongpu.plan.choice.floors import floor
from ongpu.plan.context import Halt

Choice = Literal["open", "proprietary"]
Declared = Literal["auto", "open", "proprietary"]


def choose(gpus: Sequence[PciGpu], branch: str, declared: Declared, release: str = "") -> Choice:
    """The kernel modules for these GPUs. `release`: the Ollama version to be served, empty if it is not known.

    Raises Halt("unsupported") when no module of this branch drives all of these GPUs, or Ollama could not use them.
    """
    cards = [identify(gpu) for gpu in gpus]
    _drives_all(cards, branch)
    _serves_all(cards, branch, release)
    choice = declared if declared != "auto" else _auto(cards, branch)
    _has(choice, cards, branch)
    return choice


def auto_branch(
    gpus: Sequence[PciGpu], declared: Declared, release: str, present: str, offered: Iterable[str] = branches.PREFERRED
) -> str:
    """For `branch: auto`: the branch of the `present` driver (empty if none) where it will do, else the first of the
    `offered` that will. Raises Halt("unsupported")."""
    cards = [identify(gpu) for gpu in gpus]
    if new := [card for card in cards if card.architecture in (None, Architecture.RUBIN, Architecture.NEWER)]:
        raise _no(new, "which branch drives it is not known here: declare driver.branch")
    refused: Halt | None = None
    for branch in (*([str(branches.major(present))] if present else []), *offered):
        try:
            choose(gpus, branch, declared, release)
        except Halt as halt:
            refused = refused or halt
            continue
        return branch
    raise refused or Halt("unsupported", "no driver branch is offered")


def remarks(gpus: Sequence[PciGpu]) -> tuple[str, ...]:
    """What was taken for granted about GPUs that are not in the table."""
    return tuple(
        f"{card}: not in ongpu's list of GPUs, taken for {card.architecture.word}"
        if card.architecture is not Architecture.NEWER
        else f"{card}: newer than ongpu's list of GPUs, so it gets the open kernel modules"
        for card in (identify(gpu) for gpu in gpus)
        if not card.listed and card.architecture is not None
    )


def _drives_all(cards: Sequence[Card], branch: str) -> None:
    """Legacy first: lists of supported GPUs call some that a branch no longer drives capable of open modules."""
    if old := [card for card in cards if card.architecture and card.architecture <= Architecture.KEPLER]:
        raise _no(old, "Kepler or older, which Ollama cannot use")
    number = branches.major(branch)
    for card in cards:
        last = branches.last_branch(card)
        if last and card.architecture and number > last:
            same = [other for other in cards if branches.last_branch(other) == last]
            raise _no(same, f"Maxwell, Pascal or Volta, last driven by branch {last}, not {branch}")
    old = [card for card in cards if branches.only_proprietary(card)]
    new = [card for card in cards if branches.only_open(card)]
    if old and new:
        raise Halt(
            "unsupported",
            f"no driver drives {_names(old)} and {_names(new)} together: one has proprietary kernel modules only, the "
            "other open ones only",
        )
    for card in cards:
        first = branches.first_driver(card)
        if first and number and not branches.reaches(branch, first):
            raise _no([card], f"first driven by {branches.said(first)}, not by {branch}")


def _serves_all(cards: Sequence[Card], branch: str, release: str) -> None:
    number = branches.major(branch)
    for card in cards:
        need = floor(release, card.capability)
        if need.branch is None:
            raise _no([card], need.why)
        if number and number < need.branch:
            raise _no([card], f"needs driver branch {need.branch} or newer, not {branch}: {need.why}")


def _auto(cards: Sequence[Card], branch: str) -> Choice:
    if unknown := [card for card in cards if card.architecture is None]:
        raise _no(
            unknown, "which kernel modules drive it is not known here: declare driver.modules, open or proprietary"
        )
    if any(branches.only_proprietary(card) for card in cards):
        return "proprietary"
    if any(branches.only_open(card) for card in cards):
        return "open"
    number = branches.major(branch)
    return "open" if not number or number >= branches.OPEN_BY_DEFAULT else "proprietary"


def _has(choice: Choice, cards: Sequence[Card], branch: str) -> None:
    number = branches.major(branch)
    wrong: Callable[[Card], bool] = branches.only_proprietary if choice == "open" else branches.only_open
    if bad := [card for card in cards if wrong(card)]:
        why = (
            "before Turing, needs driver.modules: proprietary (or auto)"
            if choice == "open"
            else "Blackwell, Grace or later, needs driver.modules: open (or auto)"
        )
        raise _no(bad, why)
    if choice == "proprietary" and number > branches.LAST_PROPRIETARY:
        raise Halt("unsupported", f"branch {branch} has no proprietary kernel modules any more")
    if choice == "open" and 0 < number < branches.FIRST_OPEN:
        raise Halt(
            "unsupported", f"branch {branch} has no open kernel modules yet, {branches.FIRST_OPEN} was the first"
        )


def _no(cards: Sequence[Card], why: str) -> Halt:
    return Halt("unsupported", f"{_names(cards)}: {why}")


def _names(cards: Sequence[Card]) -> str:
    return ", ".join(str(card) for card in cards)

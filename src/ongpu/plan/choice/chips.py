"""NVIDIA GPUs by PCI device id: which chip, which architecture, which compute capability.

gpus.csv (device id, chip, name) comes from the PCI ID database; `script/gpu-ids` writes it anew. Compute capabilities:
NVIDIA, "CUDA GPUs" (developer.nvidia.com/cuda-gpus) and CUDA C++ Programming Guide, "Compute Capabilities".
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path

from ongpu.host.gpu import PciGpu

_TABLE = Path(__file__).with_name("gpus.csv")


class Architecture(IntEnum):
    """In the order in which they came."""

    FERMI = 1
    KEPLER = 2
    MAXWELL = 3
    PASCAL = 4
    VOLTA = 5
    TURING = 6
    AMPERE = 7
    ADA = 8
    HOPPER = 9
    BLACKWELL = 10
    RUBIN = 11
    NEWER = 12  # than the table

    @property
    def word(self) -> str:
        return "newer than ongpu's list of GPUs" if self is Architecture.NEWER else self.name.capitalize()


_ARCHITECTURES = {
    "GF": Architecture.FERMI,
    "GK": Architecture.KEPLER,
    "GM": Architecture.MAXWELL,
    "GP": Architecture.PASCAL,
    "GV": Architecture.VOLTA,
    "TU": Architecture.TURING,
    "GA": Architecture.AMPERE,
    "AD": Architecture.ADA,
    "GH": Architecture.HOPPER,
    "GB": Architecture.BLACKWELL,
    "GR": Architecture.RUBIN,
}
# The longest beginning of the chip's name counts. Chips that NVIDIA's lists do not have stand here not: GB12x, GR10x.
_CAPABILITIES = {
    "GF": (2, 1),
    "GF100": (2, 0),
    "GF110": (2, 0),
    "GK": (3, 0),
    "GK11": (3, 5),
    "GK180": (3, 5),
    "GK208": (3, 5),
    "GK210": (3, 7),
    "GM": (5, 2),
    "GM10": (5, 0),
    "GP": (6, 1),
    "GP100": (6, 0),
    "GV": (7, 0),
    "TU": (7, 5),
    "GA": (8, 6),
    "GA100": (8, 0),
    "AD": (8, 9),
    "GH": (9, 0),
    "GB10": (10, 0),
    "GB10B": (11, 0),
    "GB11": (10, 3),
    "GB20": (12, 0),
    "GB20B": (12, 1),
}
_CHIP = re.compile(r"^([A-Z]{2})(\d+[BXx]?)")
# Data centre modules with a Grace CPU; they take the open kernel modules only.
_GRACE = re.compile(r"^G[HB][23]00\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A GPU and what its device id tells. `capability` is None where NVIDIA has published none.

    `listed` = the id stands in the table; else the architecture was told from its neighbours there, `NEWER` if it has
    none above it, None if they disagree.
    """

    address: str
    device_id: str
    name: str
    architecture: Architecture | None
    capability: tuple[int, int] | None
    grace: bool
    listed: bool

    def __str__(self) -> str:
        return f"GPU {self.address} ({self.name or self.device_id})"


def identify(gpu: PciGpu) -> Card:
    """Never raises: an id that is no number is one that nothing is known of."""
    rows = _rows()
    try:
        wanted = int(gpu.device_id, 16)
    except ValueError:
        return _card(gpu, "", "", None, listed=False)
    at = bisect_left(rows, wanted, key=lambda row: row[0])
    if at < len(rows) and rows[at][0] == wanted:
        _, chip, name = rows[at]
        return _card(gpu, chip, name, architecture_of(chip), listed=True)
    if at == len(rows):
        return _card(gpu, "", "", Architecture.NEWER, listed=False)
    below, above = rows[max(at - 1, 0)][1], rows[at][1]
    same = architecture_of(below) is architecture_of(above)
    return _card(gpu, below if below == above else "", "", architecture_of(below) if same else None, listed=False)


def architecture_of(chip: str) -> Architecture:
    """`GP102GL` -> Pascal. Raises KeyError for a chip of none of these families."""
    return _ARCHITECTURES[chip[:2]]


def capability_of(chip: str) -> tuple[int, int] | None:
    """`GP102GL` -> (6, 1)."""
    found = _CHIP.match(chip)
    name = f"{found[1]}{found[2]}" if found else ""
    return next((_CAPABILITIES[name[:end]] for end in range(len(name), 1, -1) if name[:end] in _CAPABILITIES), None)


def _card(gpu: PciGpu, chip: str, name: str, architecture: Architecture | None, *, listed: bool) -> Card:
    return Card(
        address=gpu.address,
        device_id=gpu.device_id,
        name=name or (f"{chip}, {gpu.device_id}" if chip else ""),
        architecture=architecture,
        capability=capability_of(chip),
        grace=bool(_GRACE.match(name)),
        listed=listed,
    )


@cache
def _rows() -> tuple[tuple[int, str, str], ...]:
    """Sorted by id."""
    lines = [line for line in _TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    parts = [line.split(",") for line in lines]
    return tuple(sorted((int(device, 16), chip, name) for device, chip, name in parts))

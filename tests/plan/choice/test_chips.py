"""Device id -> chip, architecture, compute capability."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.plan.choice import chips
from ongpu.plan.choice.chips import Architecture, architecture_of, capability_of, identify
from tests.plan.choice.cards import gpu

TABLE = Path(chips.__file__).with_name("gpus.csv").read_text().splitlines()


@pytest.mark.parametrize(
    ("name", "architecture", "capability"),
    [
        ("GTX 480", Architecture.FERMI, (2, 0)),
        ("GTX 650", Architecture.KEPLER, (3, 0)),
        ("K80", Architecture.KEPLER, (3, 7)),
        ("GTX 750 Ti", Architecture.MAXWELL, (5, 0)),
        ("GTX 980", Architecture.MAXWELL, (5, 2)),
        ("P100", Architecture.PASCAL, (6, 0)),
        ("GTX 1080 Ti", Architecture.PASCAL, (6, 1)),
        ("V100", Architecture.VOLTA, (7, 0)),
        ("T4", Architecture.TURING, (7, 5)),
        ("A100", Architecture.AMPERE, (8, 0)),
        ("RTX A6000", Architecture.AMPERE, (8, 6)),
        ("L4", Architecture.ADA, (8, 9)),
        ("H200", Architecture.HOPPER, (9, 0)),
        ("GH200", Architecture.HOPPER, (9, 0)),
        ("B200", Architecture.BLACKWELL, (10, 0)),
        ("B300", Architecture.BLACKWELL, (10, 3)),
        ("RTX 5090", Architecture.BLACKWELL, (12, 0)),
        ("GB10", Architecture.BLACKWELL, (12, 1)),
        ("0x2b00", Architecture.BLACKWELL, (11, 0)),  # Thor
        ("GR100", Architecture.RUBIN, None),
    ],
)
def test_the_gpus_of_each_generation(name: str, architecture: Architecture, capability: tuple[int, int] | None) -> None:
    card = identify(gpu(name))
    assert (card.architecture, card.capability, card.listed) == (architecture, capability, True)
    assert card.grace == (name in ("GH200", "GB200"))


def test_every_row_of_the_table_is_understood() -> None:
    rows = [line.split(",") for line in TABLE if not line.startswith("#")]
    assert len(rows) > 900
    assert len({device for device, _, _ in rows}) == len(rows)
    for device, chip, _ in rows:
        assert re.fullmatch("[0-9a-f]{4}", device)
        known = capability_of(chip) is not None
        assert known == (architecture_of(chip) is not Architecture.RUBIN and not chip.startswith("GB12")), chip


def test_the_table_says_where_it_comes_from() -> None:
    assert re.match(r"# Source: PCI ID database, version 20\d\d\.\d\d\.\d\d", TABLE[1])


def test_an_id_that_is_not_listed_is_told_from_its_neighbours() -> None:
    between = identify(gpu("0x2881"))  # between two Ada chips
    assert (between.architecture, between.listed) == (Architecture.ADA, False)
    assert identify(gpu("0x3fff")).architecture is Architecture.NEWER
    assert identify(gpu("0x3fff")).capability is None
    assert identify(gpu("0x0100")).architecture is Architecture.FERMI  # before the table: older still
    assert identify(gpu("what")).architecture is None
    turing, ampere = 0x1FF9, 0x2081
    gap = identify(gpu(hex((turing + ampere) // 2)))
    assert gap.architecture is None, "its neighbours disagree"


@settings(max_examples=50)
@given(st.one_of(st.text(max_size=8), st.integers(0, 0xFFFF).map(hex)))
def test_any_id_gets_an_answer(device: str) -> None:
    card = identify(gpu(device))
    assert str(card)
    assert card.listed <= (card.architecture is not None)


def test_names_are_fit_for_a_sentence() -> None:
    assert str(identify(gpu("GTX 1080 Ti"))) == "GPU 0000:01:00.0 (GeForce GTX 1080 Ti)"
    assert str(identify(gpu("GR100"))) == "GPU 0000:01:00.0 (GR100, 0x3002)"
    assert str(identify(gpu("0x3fff"))) == "GPU 0000:01:00.0 (0x3fff)"

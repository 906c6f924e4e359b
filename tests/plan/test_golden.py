"""The plans for every distribution, as an expert reads them: golden/plans/*.txt (`python -m tests.plan.golden`)."""

from __future__ import annotations

import pytest

from tests.plan.golden.cases import PLANS
from tests.plan.golden.record import PLACE, refusals, text_of

ANEW = "look at the difference, then: python -m tests.plan.golden"


@pytest.mark.parametrize("name", PLANS)
def test_what_is_done_on_each_distribution(name: str) -> None:
    assert text_of(name) == (PLACE / f"{name}.txt").read_text(encoding="utf-8"), ANEW


def test_what_is_refused_and_why() -> None:
    assert refusals() == (PLACE / "refusals.txt").read_text(encoding="utf-8"), ANEW


def test_there_are_no_others() -> None:
    assert {file.stem for file in PLACE.glob("*.txt")} == {*PLANS, "refusals"}

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu_lab.hosts.readiness import parse


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("running\n", ("running", "")),
        (
            "degraded\na.service loaded failed failed A\nb.mount loaded failed failed B\n",
            ("degraded", "a.service b.mount"),
        ),
        ("stopping\n", None),
        ("", None),
        ("Welcome!\nrunning\n", None),
    ],
)
def test_systemds_word_and_its_failed_units(text: str, seen: tuple[str, str] | None) -> None:
    expected = None if seen is None else (seen[0], f"failed units: {seen[1]}" if seen[1] else "")
    assert parse(text) == expected


@given(st.text())
def test_any_text_is_an_answer_or_none(text: str) -> None:
    answer = parse(text)
    assert answer is None or answer[0] in ("running", "degraded", "maintenance")

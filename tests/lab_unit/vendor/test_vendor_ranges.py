from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu_lab.vendor.ranges import Unsatisfiable, parse


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-30", (70, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=20-10", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("lines=1-2", None),
    ],
)
def test_parts_of_a_file_of_100_bytes(header: str | None, expected: tuple[int, int] | None) -> None:
    assert parse(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_outside_of_the_file(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse(header, 100)


@given(st.text() | st.from_regex(r"bytes=\d*-\d*", fullmatch=True), st.integers(0, 2**40))
def test_any_header_is_a_part_of_the_file_or_refused(header: str, size: int) -> None:
    try:
        part = parse(header, size)
    except Unsatisfiable:
        return
    assert part is None or 0 <= part[0] < part[1] <= size

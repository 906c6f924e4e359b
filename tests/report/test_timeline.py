from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ongpu.host.result import Past
from ongpu.report._timeline import pieces, span, words


def at(hour: int) -> str:
    return (datetime(2026, 11, 24, tzinfo=UTC) + timedelta(hours=hour)).isoformat(timespec="milliseconds")


PAST = (
    Past(verdict="ok", since=at(0), until=at(4)),
    Past(verdict="failed", since=at(5), until=at(6)),
    Past(verdict="ok", since=at(7), until=at(10)),
)


def test_each_verdict_lasts_until_the_next_one_was_seen() -> None:
    assert [(piece.tone, piece.width) for piece in pieces(PAST, *span([PAST]))] == [
        ("good", 50.0),
        ("bad", 20.0),
        ("good", 30.0),
    ]
    assert [piece.title for piece in pieces(PAST, *span([PAST]))][1] == "failed Nov 24 05:00 to Nov 24 07:00"


def test_time_without_a_look_stays_empty() -> None:
    late = (Past(verdict="unknown", since=at(5), until=at(8)),)
    start, end = span([PAST, late])
    assert [(piece.tone, piece.width) for piece in pieces(late, start, end)] == [
        ("idle", 50.0),
        ("doubt", 30.0),
        ("idle", 20.0),
    ]


def test_a_first_look_has_no_past() -> None:
    first = (Past(verdict="ok", since=at(3), until=at(3)),)
    assert list(pieces(first, *span([first]))) == []
    assert words(*span([first])) == ""
    assert words(*span([])) == ""


def test_words() -> None:
    assert words(*span([PAST])) == "10 hours"
    assert words(0, 86400) == "day"
    assert words(0, 14 * 86400) == "14 days"


@given(st.lists(st.tuples(st.sampled_from(["ok", "failed", "unknown"]), st.integers(0, 200)), max_size=20))
def test_widths_are_the_whole_line(steps: list[tuple[str, int]]) -> None:
    hours = sorted(hour for _, hour in steps)
    past = tuple(
        Past(verdict=verdict, since=at(hour), until=at(hour))  # type: ignore[arg-type]
        for (verdict, _), hour in zip(steps, hours, strict=True)
    )
    found = list(pieces(past, *span([past])))
    assert not found or abs(sum(piece.width for piece in found) - 100) < 0.5
    assert all(piece.width >= 0 for piece in found)


def test_a_time_that_is_none_is_left_out() -> None:
    odd = Past(verdict="ok", since="yesterday", until="")
    assert list(pieces((odd, *PAST), *span([(odd, *PAST)]))) == list(pieces(PAST, *span([PAST])))

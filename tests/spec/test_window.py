from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu.spec.window import Window


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_open_and_shut_in_its_own_time_zone() -> None:
    window = Window.parse("Sat 02:00-05:00 Europe/Berlin")
    assert window.is_open(at("2026-11-28T01:00:00+00:00"))
    assert window.is_open(at("2026-11-28T03:59:59+00:00"))
    assert not window.is_open(at("2026-11-28T04:00:00+00:00"))
    assert not window.is_open(at("2026-11-27T02:00:00+00:00"))


def test_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    window = Window.parse("Fri 22:00-06:00")
    assert window.is_open(at("2026-11-27T23:00:00+00:00"))
    assert window.is_open(at("2026-11-28T05:00:00+00:00"))
    assert not window.is_open(at("2026-11-27T05:00:00+00:00"))


@pytest.mark.parametrize(
    "text", ["", "Sat", "Xxx 02:00-05:00", "Sat 25:00-26:00", "Sat 02:00-05:00 Mars/Base", "Sat 2-5"]
)
def test_what_is_not_a_window_is_said_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=" is not a ") as caught:
        Window.parse(text)
    assert "\n" not in str(caught.value)


@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1)),
    st.sampled_from(["Mon-Wed", "Sat,Sun", "daily"]),
)
def test_the_next_opening_is_open_and_not_before(moment: datetime, days: str) -> None:
    window = Window.parse(f"{days} 22:30-01:15 Asia/Tokyo")
    opening = window.next_opening(moment.replace(tzinfo=UTC))
    assert window.is_open(opening)
    assert timedelta(0) <= opening - moment.replace(tzinfo=UTC) <= timedelta(days=8)

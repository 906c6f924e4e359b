from __future__ import annotations

from datetime import timedelta

import pytest

from ongpu.host.duration import go_seconds, in_words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (6, "6 s"), (600, "10 min"), (5400, "1 h 30 min"), (90061, "1 d 1 h")]
)
def test_durations_in_words(seconds: int, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("300", 300),
        ("-1", -1),
        ("-5m", -300),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("", None),
        ("soon", None),
        ("5 m", None),
        ("1d", None),
        ("5m x", None),
    ],
)
def test_durations_of_go(text: str, seconds: float | None) -> None:
    assert go_seconds(text) == seconds

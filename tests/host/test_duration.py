from __future__ import annotations

from datetime import timedelta

import pytest

from ongpu.host.duration import in_words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (6, "6 s"), (600, "10 min"), (5400, "1 h 30 min"), (90061, "1 d 1 h")]
)
def test_durations_in_words(seconds: int, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words

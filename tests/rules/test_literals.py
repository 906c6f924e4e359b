from __future__ import annotations

import re

import pytest

from ongpu.rules.catalogue import catalogue
from ongpu.rules.evidence import Evidence, _Page, words
from ongpu.rules.literals import needed
from ongpu.rules.recognise import evidence_of
from tests.rules.wordings import HEALTHY, WORDINGS


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (words("no kernel image", "CUDA error"), ("kernel", "error")),
        (words(r"cuInit err: (\d+)"), ("cuinit",)),
        (words(r"errors? here"), ("error",)),
        (words(r"(?:a|b) x"), None),
        (words("one|another"), None),
        (re.compile(r"offloaded (\d+)/(\d+) layers"), ("offloaded",)),
        (re.compile(r"abcd*efg"), ("abc",)),
        (re.compile("one|another"), ("one", "another")),
        (re.compile(r"(?:word)?"), None),
        (re.compile(r"(?:word){0,2}x"), None),
    ],
)
def test_words_that_a_pattern_needs(pattern: re.Pattern[str], expected: tuple[str, ...] | None) -> None:
    assert needed(pattern) == expected


def test_nothing_is_missed_for_the_sake_of_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text for _, text in WORDINGS] + list(HEALTHY)
    texts += [text for entry in catalogue() for text in (*entry.rule.fires, *entry.rule.quiet)]

    def answers() -> list[list[str]]:
        return [[entry.rule.answer(seen) for entry in catalogue()] for seen in map(paste, texts)]

    def paste(text: str) -> Evidence:
        return evidence_of({"paste": text})

    quick = answers()
    monkeypatch.setattr("ongpu.rules.evidence.needed", lambda pattern: None)
    assert _Page(()).text == ""
    assert answers() == quick

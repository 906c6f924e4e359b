from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.rules.catalogue import catalogue
from ongpu.rules.evidence import Evidence, Line, _Lines, words
from ongpu.rules.literals import clauses, for_zeros, holds
from ongpu.rules.pattern import ALL, Pattern, regex
from ongpu.rules.recognise import evidence_of
from ongpu.rules.shapes import Shapes
from tests.rules.wordings import HEALTHY, WORDINGS


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (words("no kernel image", "CUDA error"), [{"kernel", "image"}, {"cuda", "error"}]),
        (words(r"cuInit err: (\d+)"), [{"cuinit", "err:"}]),
        (words(r"errors? here"), [{"error", "here"}]),
        (words(r"(?:device|buffer) size"), [{"device", "size"}, {"buffer", "size"}]),
        (words(r"(?:a|b) x"), [{"a", "x"}, {"b", "x"}]),
        (words("one|another"), [{"one"}, {"another"}]),
        (regex(r"offloaded (\d+)/(\d+) layers"), [{"offloaded ", " layers"}]),
        (regex(r"abcd*efg"), [{"abc", "efg"}]),
        (regex("one|another"), [{"one"}, {"another"}]),
        (regex(r"lib\.so(?!\.1)"), [{"lib.so"}]),
        (regex(r"(?P<name>word) \1"), [{"word"}]),
        (regex(r"(?i)word"), [{"word"}]),
        (regex(r"(?:word)?"), None),
        (regex(r"(?:word){0,2}x"), [{"x"}]),
        (regex(r"\d+|word"), None),
    ],
)
def test_words_that_a_pattern_needs(pattern: Pattern, expected: list[set[str]] | None) -> None:
    told = clauses(pattern)
    assert (None if told is None else [set(clause) for clause in told]) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "is_found"),
    [
        (r"offloaded [1-9]\d*/", "offloaded 00/", True),
        (r"R(?:2\d|3[0-4])", "R00", True),
        (r"\b100% CPU", "000% CPU", True),
        (r"x{2}y", "xxy", True),
        (r"x{2}y", "xy", False),
    ],
)
def test_a_pattern_for_texts_without_digits_but_zero(pattern: str, text: str, is_found: bool) -> None:
    zeroed = for_zeros(Pattern(pattern, 0))
    assert zeroed is not None
    assert bool(zeroed.search(text)) is is_found


def test_a_digit_that_must_not_be_there_cannot_be_zeroed() -> None:
    assert for_zeros(Pattern(r"v[^1]x", 0)) is None


def _texts() -> list[str]:
    texts = [text for _, text in WORDINGS] + list(HEALTHY)
    return texts + [text for entry in catalogue() for text in (*entry.rule.fires, *entry.rule.quiet)]


def _pasted(text: str) -> Evidence:
    return evidence_of({"paste": text})


def _answers(every: list[Evidence]) -> list[list[str]]:
    return [[entry.rule.answer(seen) for entry in catalogue()] for seen in every]


def test_nothing_is_missed_for_the_sake_of_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = _answers([_pasted(text) for text in _texts()])
    monkeypatch.setattr("ongpu.rules.evidence.clauses", lambda pattern: None)
    assert _answers([_pasted(text) for text in _texts()]) == quick


def test_nothing_is_missed_on_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pattern tried on each line, and only on the lines whose shape has its words: twice, to meet known shapes."""
    lines = [_pasted(text).lines for text in _texts()]
    monkeypatch.setattr("ongpu.rules.evidence._SHAPES", Shapes())
    first = _answers([Evidence(lines=some, whole=True) for some in lines])
    assert _answers([Evidence(lines=some, whole=True) for some in lines]) == first
    monkeypatch.setattr(_Lines, "lines_for", lambda self, pattern: self.lines)
    assert _answers([Evidence(lines=some, whole=True) for some in lines]) == first


_PATTERN = st.lists(
    st.sampled_from(
        ["gpu", "GPU-a", "l4t", "cc", "-c", " ", r"\d{1,3}", "12", "[1-9]", "(?:cuda|face|b)", "x?", r"\."]
    ),
    min_size=1,
    max_size=4,
).map("".join)
_LINE = st.text(alphabet="gpuGPU-al4tc 0123456789.fxedb_/", max_size=40)


@settings(max_examples=300, deadline=None)
@given(source=_PATTERN, line=_LINE)
def test_a_line_that_matches_is_never_left_out(source: str, line: str) -> None:
    pattern = Pattern(source, re.IGNORECASE)
    if not pattern.search(line):
        return
    told = clauses(pattern)
    assert told is None or holds(line.lower(), told)
    shapes = Shapes()
    shapes.learn(pattern)
    assert shapes.may_match(line) == (pattern,)


def test_the_second_host_is_searched_only_where_a_pattern_can_be() -> None:
    pattern = words(r"GPU (\d+) has fallen off the bus")
    texts = ["NVRM: GPU 0 has fallen off the bus.", "a line about something else", "GPU 1 is fine"]
    for numbers in ("0", "7"):
        lines = tuple(Line(text.replace("0", numbers), "kernel", "k") for text in texts)
        seen = Evidence(lines=lines, whole=True)
        found = seen.match(pattern)
        assert found is not None
        assert found.match[1] == numbers
    assert [line.text for line in seen.lines_for(pattern)] == ["NVRM: GPU 7 has fallen off the bus."]


def test_every_pattern_is_a_regular_expression() -> None:
    """They are compiled when they are tried first: a mistake in one must not wait for the host on which it is."""
    catalogue()
    assert len(ALL) > 200
    for pattern in ALL:
        assert pattern.compiled.pattern == pattern.pattern


def test_after_the_first_host_no_pattern_is_new() -> None:
    """A pattern that is made in a check would be learned on each host, and what is remembered of lines forgotten."""
    seen = Evidence(lines=(Line("GPU 1 is fine", "kernel", "k"),), whole=True)
    for entry in catalogue():
        entry.rule.check(seen)
    known = len(ALL)
    for text in HEALTHY:
        lines = tuple(Line(line, "text", "t") for line in text.splitlines())
        for entry in catalogue():
            entry.rule.check(Evidence(lines=lines, whole=True))
    assert len(ALL) == known

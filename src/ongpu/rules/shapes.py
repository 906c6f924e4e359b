"""Which patterns may match a line, remembered by its shape: the hosts of a fleet say the same with other numbers.

A line's shape is the line in lower case with its numbers, hashes and addresses as `0`. For each shape it is found out
once which patterns' words it holds (ongpu.rules.literals). Those patterns are then tried once on the line with all
digits as `0`. A line that is known up to its digits costs one look-up, however many rules there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ongpu.rules.literals import Clauses, clauses, for_zeros, holds
from ongpu.rules.pattern import ALL, Pattern

MOST = 20_000  # shapes, and lines, that are remembered: some MB

# 580.95.05   0x1f   2f1c9a7e-5b0d   ede0f6…: a number, or hexadecimal digits with a number in them
_NUMBER = re.compile(r"(?<![a-z0-9])[0-9a-f]*[0-9][0-9a-f]*(?![a-z0-9])|[0-9]+")
# What of a word may be only a part of such a run, and is then not in the shape.
_EDGE = re.compile(r"^[0-9a-f]+(?=[^0-9a-z])|(?<=[^0-9a-z])[0-9a-f]+$|^[0-9a-f]+$")


def shape(text: str) -> str:
    return _NUMBER.sub("0", text.lower())


def of_word(word: str) -> str:
    """What of a pattern's word stands in the shape of every line that holds the word; may be empty."""
    return shape(_EDGE.sub("", word))


_DIGITS = str.maketrans("123456789", "0" * 9)


class Shapes:
    """The patterns that were learned, by the words that they need."""

    def __init__(self) -> None:
        self._raw: dict[Pattern, Clauses | None] = {}  # where a part of its words may be missing in a shape
        self._by_word: dict[str, list[tuple[Pattern, frozenset[str]]]] = {}  # by one word of each clause
        self._words = 0  # how many of ALL are learned
        self._of_shape: dict[str, tuple[Pattern, ...]] = {}
        self._of_line: dict[str, tuple[Pattern, ...]] = {}

    def learn_words(self) -> None:
        """Every pattern that was made by `words` since the last time: learned before a line is looked at, for learning
        forgets what is remembered of lines."""
        for pattern in ALL[self._words :]:
            if not self.knows(pattern):
                self.learn(pattern)
        self._words = len(ALL)

    def knows(self, pattern: Pattern) -> bool:
        return pattern in self._raw

    def learn(self, pattern: Pattern) -> None:
        """From now on `may_match` knows the pattern too; what was remembered without it is forgotten."""
        told = clauses(pattern) or (frozenset(),)
        in_shape = [frozenset(filter(None, map(of_word, clause))) for clause in told]
        is_whole = all(len(short) == len(clause) for short, clause in zip(in_shape, told, strict=True))
        self._raw[pattern] = None if is_whole else told
        for clause in in_shape:
            self._by_word.setdefault(max(clause, key=len, default=""), []).append((pattern, clause))
        self._of_shape.clear()
        self._of_line.clear()

    def may_match(self, text: str) -> tuple[Pattern, ...]:
        """Every learned pattern that can match within this line, and maybe some that cannot."""
        line = text.translate(_DIGITS)
        found = self._of_line.get(line)
        if found is None:
            found = _keep(self._of_line, line, tuple(self._tried(line, text.lower())))
        return found

    def _tried(self, line: str, lower: str) -> Iterator[Pattern]:
        for pattern in self._candidates(_NUMBER.sub("0", lower)):
            raw = self._raw[pattern]
            if raw is not None and not holds(lower, raw):
                continue
            zeroed = for_zeros(pattern)
            if zeroed is None or zeroed.search(line):
                yield pattern

    def _candidates(self, key: str) -> tuple[Pattern, ...]:
        found = self._of_shape.get(key)
        if found is None:
            there = [needs for word, needs in self._by_word.items() if word in key]
            fitting = {pattern: None for needs in there for pattern, clause in needs if holds(key, (clause,))}
            found = _keep(self._of_shape, key, tuple(fitting))
        return found


def _keep(known: dict[str, tuple[Pattern, ...]], key: str, value: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    if len(known) >= MOST:
        known.clear()
    known[key] = value
    return value

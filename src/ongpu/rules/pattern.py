"""Patterns of rules. Most of them are never tried on a healthy host: each is compiled when it is tried first.

Compiling all of them takes longer than judging twenty hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property

# What a pattern is made of, where spaces are concerned: a character class, an escape, a lookbehind for a space, and a
# space with or without a quantifier.
_PIECE = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\.|\(\?<= \)| \{| [*+?]?", re.DOTALL)
_SPACES = {" ": r"\s{1,40}", " +": r"\s{1,40}", " *": r"\s{0,40}", " ?": r"\s?", "(?<= )": r"(?<=\s)"}


class Pattern:
    """What rules use of `re.Pattern`. A text that is no regular expression raises re.error when it is tried first:
    `ALL` lets a test try every one."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self.flags = flags

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, self.flags)

    def search(self, text: str) -> re.Match[str] | None:
        return self.compiled.search(text)

    def match(self, text: str) -> re.Match[str] | None:
        return self.compiled.match(text)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        return self.compiled.fullmatch(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        return self.compiled.finditer(text)

    def __repr__(self) -> str:
        return f"Pattern({self.pattern!r}, {self.flags})"


ALL: list[Pattern] = []  # of every rule that was loaded, in order


@cache
def words(*texts: str) -> Pattern:
    """A pattern of alternatives, in any case; a space in it stands for any white space (wrapped lines too).

    Inside a character class, and before a quantifier in braces, a space is a space.
    """
    parts = (f"(?:{_PIECE.sub(lambda piece: _SPACES.get(piece[0], piece[0]), text)})" for text in texts)
    return _kept(Pattern("|".join(parts), re.IGNORECASE | re.MULTILINE))


@cache
def regex(pattern: str, flags: int = 0) -> Pattern:
    """A pattern as it is written."""
    return _kept(Pattern(pattern, flags))


def _kept(pattern: Pattern) -> Pattern:
    ALL.append(pattern)
    return pattern

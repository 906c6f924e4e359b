"""Which words a text must hold for a pattern to match: looking for those first makes most searches almost free."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ongpu.rules.pattern import Pattern

# An escape, a class, a quantifier in braces, the opening of a group, an operator, or a plain character.
_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\{[^}]*\}|\(\?(?:P<\w+>|<?[=!]|:)|[()|*+?^$.]|.", re.DOTALL)
_PLAIN = re.compile(r"[^\\()\[\]{}|*+?^$.\n]")
_DROPS_ONE = ("*", "?", "{")  # what stands before may be missing; of a counted character that is assumed
_MAY_BE_MISSING = ("*", "?", "{0", "{,")
_ESCAPED = re.compile(r"\\[^A-Za-z0-9]")
_SHORTEST = 3  # shorter ones tell something only where there are no others
_MOST, _MOST_PRODUCTS = 100, 40
_DIGIT = re.compile(r"[0-9]")

Clauses = tuple[frozenset[str], ...]


@cache
def clauses(pattern: Pattern) -> Clauses | None:
    """Sets of words in lower case: whatever matches holds all words of at least one set. None: nothing can be told.

    An alternative's words are those that it cannot do without, and of its groups those of one of their alternatives.
    """
    return _of_all(_parsed(iter(_TOKEN.findall(pattern.pattern))))


def holds(text: str, told: Clauses) -> bool:
    """`text` in lower case."""
    return any(all(word in text for word in clause) for clause in told)


@cache
def for_zeros(pattern: Pattern) -> re.Pattern[str] | None:
    """A pattern for texts whose digits are all replaced by 0: it matches there wherever `pattern` matches the text.

    None where that cannot be had.
    """
    tokens: list[str] = _TOKEN.findall(pattern.pattern)
    zeroed = [_zeroed(token) for token in tokens]
    return None if None in zeroed else re.compile("".join(filter(None, zeroed)), pattern.flags)


def _zeroed(token: str) -> str | None:
    if token.startswith("{") or not _DIGIT.search(token.replace("0-9", "")):
        return token
    if len(token) == 1:
        return "0"
    return f"[0{token[1:]}" if token.startswith("[") and not token.startswith("[^") else None


@dataclass(frozen=True, slots=True)
class _Group:
    opening: str
    alternatives: list[list[_Item]]


_Item = str | _Group


def _parsed(tokens: Iterator[str]) -> list[list[_Item]]:
    alternatives: list[list[_Item]] = [[]]
    for piece in tokens:
        if piece == ")":
            break
        if piece == "|":
            alternatives.append([])
        elif piece.startswith("("):
            alternatives[-1].append(_Group(piece, _parsed(tokens)))
        else:
            alternatives[-1].append(piece)
    return alternatives


def _of_all(alternatives: list[list[_Item]]) -> Clauses | None:
    found: list[frozenset[str]] = []
    for alternative in alternatives:
        told = _of_one(alternative)
        if not told:
            return None
        found += told
    return tuple(dict.fromkeys(found)) if len(found) <= _MOST else None


def _of_one(alternative: list[_Item]) -> Clauses:
    runs = {run.lower() for run in _runs(alternative) if run.strip()}
    words = {run for run in runs if len(run) >= _SHORTEST}
    found: Clauses = (frozenset(words or runs),)
    for group in _required(alternative):
        told = _of_all(group.alternatives)
        if told and len(found) * len(told) <= _MOST_PRODUCTS:
            found = tuple(one | other for one in found for other in told)
    return found if found[0] else ()


def _required(alternative: list[_Item]) -> Iterator[_Group]:
    for at, item in enumerate(alternative):
        after = alternative[at + 1] if at + 1 < len(alternative) else ""
        if isinstance(item, str) or item.opening.startswith(("(?=", "(?!", "(?<")) or item.alternatives[0][:1] == ["?"]:
            continue
        if not (isinstance(after, str) and after.startswith(_MAY_BE_MISSING)):
            yield item


def _runs(alternative: list[_Item]) -> list[str]:
    """Plain characters in a row, outside of every group; one that may be missing ends the row before it."""
    runs = [""]
    for item in alternative:
        if isinstance(item, str) and (_PLAIN.fullmatch(item) or _ESCAPED.fullmatch(item)):
            runs[-1] += item[-1]
            continue
        if isinstance(item, str) and item.startswith(_DROPS_ONE):
            runs[-1] = runs[-1][:-1]
        runs.append("")
    return runs

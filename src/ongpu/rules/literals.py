"""Which words a pattern cannot match without: looking for those first makes most searches almost free."""

from __future__ import annotations

import re
from functools import cache

# An escape, a class, a quantifier in braces, a bracket of a group, an operator, or a plain character.
_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\{[^}]*\}|\(\?(?:<?[=!:])|[()|*+?^$.]|.", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9_/-]")
_DROPS_ONE = ("*", "?", "{")
_SHORTEST = 3


@cache
def needed(pattern: re.Pattern[str]) -> tuple[str, ...] | None:
    """Words in lower case of which the text must hold at least one, or None when the pattern tells none.

    Only characters that stand outside of all groups count, so every word is one that its alternative cannot do
    without; an alternative without such a word makes the answer None.
    """
    found = []
    for alternative in _alternatives(pattern.pattern):
        word = max(_runs(alternative), key=len, default="")
        if len(word) < _SHORTEST:
            return None
        found.append(word.lower())
    return tuple(found)


def _alternatives(source: str) -> list[list[str]]:
    """The tokens of each alternative at the top; a group around the whole of one is taken off."""
    pieces: list[list[str]] = [[]]
    depth = 0
    for part in _TOKEN.findall(source):
        depth += part.startswith("(")
        depth -= part == ")"
        if part == "|" and depth == 0:
            pieces.append([])
        else:
            pieces[-1].append(part)
    if len(pieces) == 1 and not _is_one_group(pieces[0]):
        return pieces
    bare = [tokens[1:-1] if _is_one_group(tokens) else tokens for tokens in pieces]
    return [["."] if _has_choice(tokens) else tokens for tokens in bare]


def _is_one_group(tokens: list[str]) -> bool:
    if len(tokens) < 2 or tokens[0] != "(?:" or tokens[-1] != ")":
        return False
    depth = 0
    for at, part in enumerate(tokens):
        depth += part.startswith("(")
        depth -= part == ")"
        if depth == 0:
            return at == len(tokens) - 1
    return False


def _has_choice(tokens: list[str]) -> bool:
    depth = 0
    for part in tokens:
        depth += part.startswith("(")
        depth -= part == ")"
        if part == "|" and depth == 0:
            return True
    return False


def _runs(tokens: list[str]) -> list[str]:
    """Plain characters in a row, outside of every group; one that may be missing ends the row before it."""
    runs = [""]
    depth = 0
    for part in tokens:
        depth += part.startswith("(")
        depth -= part == ")"
        if depth == 0 and len(part) == 1 and _PLAIN.match(part):
            runs[-1] += part
            continue
        if part.startswith(_DROPS_ONE):
            runs[-1] = runs[-1][:-1]
        runs.append("")
    return runs

"""Walls of text that nobody wrote: pieces of real lines, repeated, glued, cut and damaged. Same seed, same wall."""

from __future__ import annotations

import random
from collections.abc import Sequence

_DAMAGE = ("", " ", "\n", '"', "=", "[", ")", "\x1b", "\r", "{", "\\", "9" * 30)


def wall(seed: int, lines: Sequence[str], size: int) -> str:
    """About `size` characters, made in one of five ways."""
    rnd = random.Random(seed)
    one, other = _piece(rnd, lines), _piece(rnd, lines)
    glue = rnd.choice(("", " ", "\n", '"', "="))
    made = (
        one + rnd.choice(("", "\n")),
        one + glue + other + rnd.choice(("", " ", "\n")),
        "\n".join(rnd.choice(lines)[: rnd.randrange(1, 200)] for _ in range(size // 60)),
        "\n".join(_damaged(rnd, rnd.choice(lines)) for _ in range(size // 90)),
        "\n".join(one + "".join(rnd.choices("abcdefgh", k=4)) + other for _ in range(size // 60)),
    )[seed % 5]
    return (made * (size // len(made) + 1))[:size]


def _piece(rnd: random.Random, lines: Sequence[str]) -> str:
    line = rnd.choice(lines)
    start = rnd.randrange(len(line))
    return line[start : start + rnd.randrange(1, 80)]


def _damaged(rnd: random.Random, line: str) -> str:
    letters = list(line)
    for _ in range(rnd.randrange(1, 5)):
        letters[rnd.randrange(len(letters))] = rnd.choice(_DAMAGE)
    return "".join(letters)

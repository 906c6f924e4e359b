"""What is known about one host, from any source, as lines of known kind. Rules look only at this."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeVar, cast

from ongpu.host.result import Unknown
from ongpu.rules.literals import clauses, holds
from ongpu.rules.pattern import Pattern, words
from ongpu.rules.shapes import Shapes

__all__ = ["Evidence", "Found", "Kind", "Line", "words"]
T = TypeVar("T")
Kind = Literal["log", "kernel", "smi", "ps", "env", "call", "container", "package", "system", "text", "prose"]
"""log: Ollama and its runner; smi: nvidia-smi; ps: `ollama ps`; env: variables and units; call: model parameters and
requests; container: its start and its errors; package: packages and directory listings; system: modules, PCI, CPU,
kernel; text: not recognised; prose: a person's own words."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line without prompts, colours and prefixes; `source` says which command, file or paste it is from."""

    text: str
    kind: Kind
    source: str


@dataclass(frozen=True, slots=True)
class Found:
    """A pattern that was found: the match, and the line on which it begins."""

    match: re.Match[str]
    line: Line


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """`looked_at` says in words what was examined; `blind` what could not be looked at and why.

    `whole`: each line is one that a program wrote, as in a snapshot; no pattern runs from one into the next. Pasted
    lines may have been broken in two.
    """

    lines: tuple[Line, ...]
    looked_at: tuple[str, ...] = ()
    blind: tuple[Unknown, ...] = ()
    whole: bool = False
    _found: dict[Pattern, tuple[Found, ...]] = field(default_factory=dict, compare=False, repr=False)
    _told: dict[Pattern, Found | None] = field(default_factory=dict, compare=False, repr=False)
    _once: dict[Callable[[Evidence], object], object] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def kinds(self) -> frozenset[Kind]:
        return frozenset(line.kind for line in self.lines)

    @cached_property
    def _said(self) -> _Page | _Lines:
        said = tuple(line for line in self.lines if line.kind != "prose")
        return _Lines(said) if self.whole else _Page(said)

    @cached_property
    def _everything(self) -> _Page | _Lines:
        if len(self._said.lines) == len(self.lines):
            return self._said
        return _Lines(self.lines) if self.whole else _Page(self.lines)

    def find(self, pattern: Pattern) -> Line | None:
        """The line on which the pattern is first found, a person's own words left out."""
        found = self.all(pattern)
        return found[0].line if found else None

    def match(self, pattern: Pattern) -> Found | None:
        found = self.all(pattern)
        return found[0] if found else None

    def all(self, pattern: Pattern) -> tuple[Found, ...]:
        """Every place where the pattern is found, in order. Many rules ask the same: each pattern is sought once."""
        found = self._found.get(pattern)
        if found is None:
            found = self._found[pattern] = tuple(self._said.search(pattern)) if self.lines_for(pattern) else ()
        return found

    def told(self, pattern: Pattern) -> Line | None:
        """Like `find`, in a person's own words too: for what only a person can know (sleep, what worked before)."""
        if pattern not in self._told:
            self._told[pattern] = next(self.everywhere(pattern), None)
        found = self._told[pattern]
        return found.line if found else None

    def everywhere(self, pattern: Pattern) -> Iterator[Found]:
        """Every place where the pattern is found, a person's own words among them."""
        return self._everything.search(pattern)

    def once(self, fact: Callable[[Evidence], T]) -> T:
        """What `fact` says of this evidence; many rules ask the same, it is worked out once."""
        if fact not in self._once:
            self._once[fact] = fact(self)
        return cast(T, self._once[fact])

    def lines_for(self, pattern: Pattern) -> Sequence[Line]:
        """Every line on which the pattern may be found, and maybe more; a person's own words left out."""
        return self._said.lines_for(pattern)

    def of(self, *kinds: Kind) -> Iterator[Line]:
        return (line for line in self.lines if line.kind in kinds)


class _Page:
    """Lines as one text: a pattern that allows white space between words finds them across a wrapped line."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self.lines = lines
        self.text = "\n".join(line.text for line in lines)
        self.lower = self.text.lower()
        self.starts: list[int] = []
        at = 0
        for line in lines:
            self.starts.append(at)
            at += len(line.text) + 1

    def lines_for(self, pattern: Pattern) -> Sequence[Line]:
        told = clauses(pattern)
        return self.lines if told is None or holds(self.lower, told) else ()

    def search(self, pattern: Pattern) -> Iterator[Found]:
        if not self.lines_for(pattern):
            return
        for match in pattern.finditer(self.text):
            if match.end() > match.start():
                yield Found(match, self.lines[bisect_right(self.starts, match.start()) - 1])


class _Lines:
    """Lines one by one. A pattern is tried only on lines that hold its words (ongpu.rules.shapes)."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self.lines = lines
        self.places: dict[Pattern, list[Line]] = {}
        self.new: set[Pattern] = set()  # learned after the places were written down
        _SHAPES.learn_words()
        for line in lines:
            for pattern in _SHAPES.may_match(line.text):
                self.places.setdefault(pattern, []).append(line)

    def lines_for(self, pattern: Pattern) -> Sequence[Line]:
        if not _SHAPES.knows(pattern):
            _SHAPES.learn(pattern)
            self.new.add(pattern)
        return self.lines if pattern in self.new else self.places.get(pattern, ())

    def search(self, pattern: Pattern) -> Iterator[Found]:
        for line in self.lines_for(pattern):
            for match in pattern.finditer(line.text):
                if match.end() > match.start():
                    yield Found(match, line)


_SHAPES = Shapes()

"""What a diagnosis rule is: one root cause, how it is recognised, and how it is repaired.

A rule's file starts with its manual page (`HEADINGS`), has a pure `check`, and ends with `RULE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from ongpu.host.result import Safety, Severity
from ongpu.rules.action import Repair
from ongpu.rules.evidence import Evidence, Kind, Line
from ongpu.rules.pattern import Pattern

_HARMLESS = re.compile(r"[\w/][\w./:@+-]{0,200}", re.ASCII)
Certainty = Literal["proven", "likely", "possible"]
Answer = Literal["fires", "quiet", "unknown"]
HEADINGS = ("What it means", "Why it matters", "How it comes about", "Fix", "Fix safety", "References")
SAFETIES: tuple[Safety, ...] = ("safe", "restart", "reboot", "manual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A rule that fires. `proven`: the evidence names this cause; `likely`: it fits this cause best; `possible`:
    worth a look when nothing better is known. `summary` = subject, state, number."""

    certainty: Certainty
    summary: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Fill:
    """A placeholder of a rule's commands (`INDEX`), and the pattern whose first group is its value in the evidence.
    Several values are joined by `joint`. Where the evidence does not tell, the placeholder stays; so it does for a
    value that a shell would read as more than a word, because pasted text is anybody's."""

    word: str
    pattern: Pattern
    joint: str = ","


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`needs`: without evidence of any of these kinds, silence means unknown, not healthy. `explains`: slugs of
    rules whose findings are symptoms of this one. `fires`, `quiet`, `unknown`: example evidence as it is pasted.
    `commands`: the way out by hand, to be copied line by line, with `fills` for their placeholders.
    `repair`: what `ongpu fix` does about it, within the class of its `Fix safety`; None = only a person can."""

    id: str
    slug: str
    severity: Severity
    check: Callable[[Evidence], Hit | None]
    needs: tuple[Kind, ...]
    fires: tuple[str, ...]
    quiet: tuple[str, ...]
    unknown: tuple[str, ...]
    explains: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    fills: tuple[Fill, ...] = ()
    repair: Repair | None = None

    def by_hand(self, seen: Evidence) -> tuple[str, ...]:
        """The commands, with the placeholders that this evidence fills."""
        commands = self.commands
        for fill in self.fills:
            values = dict.fromkeys(found.match[1] for found in seen.all(fill.pattern))
            if values and all(_HARMLESS.fullmatch(value) for value in values):
                word = re.compile(rf"\b{fill.word}\b")
                commands = tuple(word.sub(fill.joint.join(values), command) for command in commands)
        return commands

    def answer(self, seen: Evidence) -> Answer:
        """`quiet` only where there was something to look at."""
        if self.check(seen) is not None:
            return "fires"
        return "quiet" if seen.kinds.intersection(self.needs) else "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """A rule's manual page: its title and the text under each heading."""

    title: str
    sections: Mapping[str, str]

    @property
    def safety(self) -> Safety:
        """The class that a fix must be allowed by; what a page does not name is never automatic."""
        first = re.match(r"\w+", self.sections.get("Fix safety", ""))
        return next((safety for safety in SAFETIES if first and first[0] == safety), "manual")


def manual(docstring: str) -> Manual:
    """A rule file's docstring, taken apart at its headings. What is missing is missing here too."""
    title, _, body = docstring.strip().partition("\n")
    sections: dict[str, str] = {}
    heading = ""
    for line in body.split("\n"):
        name, mark, rest = line.partition(": ")
        if mark and name in HEADINGS:
            heading, sections[name] = name, rest.strip()
        elif heading and line.strip():
            sections[heading] += " " + line.strip()
    return Manual(title=title.rstrip("."), sections=sections)


def proven(summary: str, *lines: Line | None) -> Hit:
    return _hit("proven", summary, lines)


def likely(summary: str, *lines: Line | None) -> Hit:
    return _hit("likely", summary, lines)


def possible(summary: str, *lines: Line | None) -> Hit:
    return _hit("possible", summary, lines)


def _hit(certainty: Certainty, summary: str, lines: tuple[Line | None, ...]) -> Hit:
    return Hit(certainty=certainty, summary=summary, lines=tuple(line for line in lines if line is not None))

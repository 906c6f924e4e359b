"""Two causes at once are both named, or one of them is shown as a symptom of the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest

from ongpu.rules.catalogue import Entry, catalogue
from ongpu.rules.diagnose import diagnose
from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import placement
from ongpu.rules.recognise import evidence_of
from tests.rules.explained import EXPLAINED

EVERY = catalogue()


def both(one: Entry, other: Entry) -> Evidence:
    """The example of each, as two pastes of one host."""
    return evidence_of({"one": one.rule.fires[0], "other": other.rule.fires[0]})


def lost(one: Entry, other: Entry) -> Iterator[str]:
    """Causes that are neither named nor explained, without a good reason: a mere possibility is not said beside a
    cause that is shown, nor what would keep the GPU from working while a model works on it; and where one example
    takes the other's ground away (it shows that there is no such fault), the rule does not fire on both."""
    seen = both(one, other)
    named = {finding.cause for finding in diagnose(seen).findings}
    works = placement.is_fully_on_gpu(seen)
    for entry in (one, other):
        rule = entry.rule
        hit = rule.check(seen)
        if rule.slug in named or any(rule.slug in EXPLAINED[cause] for cause in named) or hit is None:
            continue
        if hit.certainty == "possible" or (works and hit.certainty != "proven" and rule.severity == "critical"):
            continue
        yield f"{rule.slug} beside {(other if entry is one else one).rule.slug}: only {sorted(named)}"


def pairs(entries: tuple[Entry, ...], one_in: int = 1) -> list[tuple[Entry, Entry]]:
    return list(combinations(entries, 2))[::one_in]


def test_of_two_causes_none_is_lost() -> None:
    assert [line for one, other in pairs(EVERY, 37) for line in lost(one, other)] == []


@pytest.mark.slow
def test_of_any_two_causes_none_is_lost() -> None:
    assert [line for one, other in pairs(EVERY) for line in lost(one, other)] == []


def test_seldom_does_one_example_silence_the_rule_of_the_other() -> None:
    """Else the test above would say nothing."""
    some = pairs(EVERY, 37)
    silent = [entry.rule.slug for pair in some for entry in pair if entry.rule.check(both(*pair)) is None]
    assert len(silent) < len(some) // 50, silent

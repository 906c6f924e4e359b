"""Each cause in the words of many programs and people, typed and as one untyped paste."""

from __future__ import annotations

import pytest

from ongpu.rules.diagnose import Diagnosis, diagnose
from ongpu.rules.recognise import evidence_of
from tests.rules.layouts import LAYOUTS
from tests.rules.seen import Seen, blocks
from tests.rules.test_catalogue import CAUSES
from tests.rules.wordings import WORDINGS

BLOCKS = blocks()
SICK = [block for block in BLOCKS if block.causes != ("healthy",)]
WELL = [block for block in BLOCKS if block.causes == ("healthy",)]


def both(block: Seen) -> tuple[Diagnosis, Diagnosis]:
    """As a case that names the kinds of its evidence, and as one untyped paste."""
    mixed = {"paste": "\n".join(block.evidence.values())}
    return diagnose(evidence_of(block.evidence)), diagnose(evidence_of(mixed))


@pytest.mark.parametrize("block", SICK, ids=lambda block: block.name)
def test_the_cause_is_named_first(block: Seen) -> None:
    for found in both(block):
        assert [finding.cause for finding in found.findings][:1] in [[cause] for cause in block.causes]


@pytest.mark.parametrize("block", WELL, ids=lambda block: block.name)
def test_a_healthy_host_gives_no_alarm(block: Seen) -> None:
    for found in both(block):
        assert found.verdict == "ok", found.summary
        assert not [finding for finding in found.findings if finding.severity != "info"]


EVERY = 7  # of all pairs, so that the test costs a second; the pairs change with each new block


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_changes_nothing(name: str) -> None:
    first = list(LAYOUTS).index(name)
    for number, block in enumerate(BLOCKS):
        if (number + first) % EVERY:
            continue
        text = LAYOUTS[name]("\n".join(block.evidence.values()))
        found = diagnose(evidence_of({"paste": text}))
        loud = [finding.cause for finding in found.findings if finding.severity != "info" or block in SICK]
        expected = [[cause] for cause in block.causes] if block in SICK else [[]]
        assert loud[:1] in expected, (block.name, loud)


@pytest.mark.parametrize("cause", CAUSES.split())
def test_every_cause_has_three_wordings_at_least(cause: str) -> None:
    known = [block for block in BLOCKS if cause in block.causes]
    assert len(known) + sum(named == cause for named, _ in WORDINGS) >= 3

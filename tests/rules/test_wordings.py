"""The same causes in other words, and healthy hosts that must not alarm."""

from __future__ import annotations

import pytest

from ongpu.rules.diagnose import diagnose
from ongpu.rules.recognise import evidence_of
from tests.rules.wordings import HEALTHY, WORDINGS


@pytest.mark.parametrize(("cause", "text"), WORDINGS, ids=[f"{n}-{cause}" for n, (cause, _) in enumerate(WORDINGS)])
def test_the_cause_is_named_first(cause: str, text: str) -> None:
    found = diagnose(evidence_of({"paste": text}))
    assert [finding.cause for finding in found.findings][:1] == [cause]


@pytest.mark.parametrize("text", HEALTHY, ids=range(len(HEALTHY)))
def test_a_healthy_host_gives_no_alarm_and_says_what_was_looked_at(text: str) -> None:
    found = diagnose(evidence_of({"paste": text}))
    assert (found.verdict, found.findings, found.unknowns) == ("ok", (), ())
    assert "paste" in found.summary
    assert "causes ruled out" in found.summary

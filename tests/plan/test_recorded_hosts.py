"""Real hosts' answers: a plan for each, the same each time, and no change that a half answer made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.build import plan
from ongpu.plan.types import Limits, Now, Plan
from ongpu.probe.decode import decode
from tests.plan.builders import TUESDAY, spec

RECORDINGS = Path(__file__).resolve().parent.parent / "recordings" / "probe"


def of(snapshot: HostSnapshot) -> Plan:
    return plan(spec(), snapshot, Now(TUESDAY), Limits())


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("*.txt")), ids=lambda file: file.stem)
def test_a_recorded_host_has_a_plan(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    found = of(decode(text))
    assert found == of(decode(text))
    assert not found.empty
    assert all(blocked.why for blocked in found.blocked)


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("*.txt")), ids=lambda file: file.stem)
def test_half_an_answer_never_leads_to_more(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").split("\n")
    whole = of(decode("\n".join(lines)))
    expected = {part.resource for part in (*whole.changes, *whole.deferred)}
    for cut in range(0, len(lines), max(1, len(lines) // 25)):
        part = of(decode("\n".join(lines[:cut])))
        assert {change.resource for change in part.changes} <= expected
        assert part.interrupts <= whole.interrupts


def test_a_host_that_could_not_be_read_has_no_changes() -> None:
    found = of(HostSnapshot.unreadable("no route to host"))
    assert not found.changes
    assert not found.interrupts
    assert all(blocked.kind == "unknown" and "no route to host" in blocked.why for blocked in found.blocked)

"""A request that comes in between the last look and the restart sends us back to waiting, never through."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ongpu.engine import execute
from ongpu.engine.cell import Trouble
from ongpu.errors import Exit
from ongpu.plan.types import Change, Drain, Interrupts, Plan, Run
from tests.engine.test_converge import trouble

from .conftest import World


def interrupting(place: Path) -> Plan:
    """Restarts at the third try: before, somebody is being served."""
    if (place / "restarted").exists():
        return Plan()
    count = f"echo x >>{place}/tries; [ $(wc -l <{place}/tries) -ge 3 ]"
    tries = f"{count} || {{ echo busy; exit 76; }}; touch {place}/restarted"
    steps = (Drain(limit=timedelta(minutes=1)), Run(command=tries, what="restart ollama"))
    change = Change(resource="restart", summary="restart", steps=steps, interrupts=Interrupts.RESTART)
    return Plan(changes=(change,))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """The deadlines of all waits; each ends at once."""
    seen: list[float | None] = []
    monkeypatch.setattr(execute, "drain", lambda host, step, deadline=None: seen.append(deadline))
    return seen


def test_it_waits_again_until_the_same_limit(world: World, tmp_path: Path, waits: list[float | None]) -> None:
    world.plans = lambda name, place: interrupting(place)
    state = world.run("a")
    assert trouble(state, "a") is None
    assert (tmp_path / "a" / "restarted").exists()
    assert len(waits) == 3
    assert len(set(waits)) == 1


def test_at_the_limit_it_is_refused_and_nothing_was_interrupted(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([None, Trouble("restart refused, still busy after 1 min: a request", Exit.REFUSED)])
    monkeypatch.setattr(execute, "drain", lambda host, step, deadline=None: next(answers))
    world.plans = lambda name, place: interrupting(place)
    state = world.run("a")
    assert trouble(state, "a") == ("restart: restart refused, still busy after 1 min: a request", Exit.REFUSED)
    assert not (tmp_path / "a" / "restarted").exists()

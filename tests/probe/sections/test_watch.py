from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.watch import WatchState
from ongpu.probe.output import Output, Part
from ongpu.probe.sections.watch import parse
from tests.probe.sections.samples import WATCH, Parts


def read(parts: Parts) -> object:
    given = {name: part if isinstance(part, Part) else Part(0, part) for name, part in parts.items()}
    return parse(Output("watch", given, complete=True))


def state(**over: object) -> WatchState:
    found = read({**WATCH, **over})  # type: ignore[dict-item]
    assert isinstance(found, Known)
    assert isinstance(found.value, WatchState)
    return found.value


def test_a_timer_that_runs() -> None:
    found = state()
    assert (found.timer_loaded, found.timer_active, found.timer_enabled, found.needs_reload) == (
        True,
        True,
        True,
        False,
    )
    assert found.program == Known("/opt/ongpu/venv/bin/ongpu", "command -v ongpu")
    assert found.version == Known("0.1.0", "/opt/ongpu/venv")
    assert found.triggered_at == Known(datetime(2026, 11, 24, 15, 0, 3, tzinfo=UTC), "LastTriggerUSec")
    assert found.result == Known("success", "Result")
    assert found.exit_code == Known(2, "ExecMainStatus")


def test_before_the_first_run_there_is_no_result() -> None:
    """systemd prints Result=success and ExecMainStatus=0 of a service that never ran."""
    never = WATCH["service"].replace("Tue 2026-11-24 15:00:05 UTC", "").replace("Status=2", "Status=0")  # type: ignore[union-attr]
    found = state(
        service=never, timer="LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\nLastTriggerUSec="
    )
    assert isinstance(found.exit_code, Absent)
    assert isinstance(found.result, Absent)
    assert isinstance(found.triggered_at, Absent)
    assert (found.timer_active, found.timer_enabled) == (False, False)


def test_without_a_timer() -> None:
    nothing: Parts = {"program": "", "installed": "", "none": "none"}
    assert isinstance(read(nothing), Absent)
    found = read({**nothing, "program": "/usr/local/bin/ongpu"})
    assert isinstance(found, Known)
    assert not found.value.timer_loaded


@pytest.mark.parametrize("part", ["timer", "service"])
def test_systemd_that_does_not_answer_is_unknown(part: str) -> None:
    assert isinstance(read({**WATCH, part: Part(124, "")}), Unreadable)

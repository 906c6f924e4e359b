"""A day of cron in compressed time: what is kept, what becomes an alert, what a kill or a broken database costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ongpu.history import alerts, models, spans
from ongpu.history.recorder import Recorder, proofs
from ongpu.history.store import Store
from ongpu.host.result import FleetResult, HostResult
from tests.report.samples import FACTS, down, drifted, fleet, on_cpu, proven

START = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
EVERY = timedelta(minutes=15)
DAY = 96  # looks


class Cron:
    """Runs that look at the fleet every quarter of an hour, on a clock of their own."""

    def __init__(self, path: Path, debounce: int) -> None:
        self.store, self.debounce, self.at = Store(path), debounce, START

    def look(self, *results: HostResult) -> FleetResult:
        log = Recorder(self.store, "drift", self.debounce, lambda: self.at)
        result = fleet(*log.recorded(iter(results)))
        log.finish(int(result.exit_code), timedelta(days=90))
        self.at += EVERY
        return result


@pytest.fixture
def cron(tmp_path: Path) -> Callable[[int], Cron]:
    return lambda debounce: Cron(tmp_path / "ongpu.sqlite3", debounce)


def weather(look: int) -> tuple[HostResult, ...]:
    """Four hosts over a day: well; away for an hour, twice; a flicker every two hours; broken by an upgrade at noon."""
    upgraded = {**FACTS, "driver_library": "580.105.08"}
    return (
        proven("well"),
        down("away") if look in range(20, 24) or look in range(60, 64) else proven("away"),
        drifted("flicker") if look % 8 == 0 else proven("flicker"),
        replace(on_cpu("broken"), facts=upgraded) if 48 <= look < 72 else proven("broken"),
    )


def test_a_day_of_cron(cron: Callable[[int], Cron]) -> None:
    runs = cron(3)
    codes = [int(runs.look(*weather(look)).exit_code) for look in range(DAY)]

    # Unknown from the third look at the host that is away; failed from the third look at the broken one, until the
    # second good one; the flicker never counts.
    expected = [0] * DAY
    expected[22:25] = [3] * 3  # the first look that reaches it again is not yet a recovery
    expected[62:65] = [3] * 3
    expected[50:73] = [2] * 23
    assert codes == expected

    way = spans.spans(runs.store, "broken")
    assert [(span.verdict, span.looks) for span in way] == [("ok", 48), ("failed", 24), ("ok", 24)]
    assert spans.differences(way[0], way[1]) == ("driver_library (not known) -> 580.105.08",)
    assert [span.looks for span in spans.spans(runs.store, "well")] == [DAY]
    assert len(runs.store.runs(1000)) == DAY

    (alert,) = alerts.log_of(runs.store, "broken")
    assert (alert.since[11:16], alert.alerted_at[11:16], alert.ended_at[11:16]) == ("12:00", "12:30", "18:15")
    assert len(alerts.log_of(runs.store, "away")) == 2
    assert alerts.log_of(runs.store, "flicker") == []
    assert alerts.present(runs.store) == {}


def test_results_carry_their_hosts_past(cron: Callable[[int], Cron]) -> None:
    runs = cron(2)
    for look in range(60):
        result = runs.look(*weather(look))
    away, broken = result.hosts[1], result.hosts[3]
    assert [piece.verdict for piece in away.past] == ["ok", "unknown", "ok"]
    assert [(piece.verdict, piece.since[11:16]) for piece in broken.past] == [("ok", "00:00"), ("failed", "12:00")]
    assert broken.past[-1].until == broken.last_read_at
    assert broken.alerts
    assert (broken.alerts[0].state, broken.alerts[0].looks) == ("alert", 12)
    (gone,) = runs.look(down("away")).hosts
    assert gone.last_read_at[11:16] == "14:45"  # of the look before
    assert gone.alarm == "ok"  # seen once


def test_without_debounce_the_exit_code_is_that_of_this_look(cron: Callable[[int], Cron]) -> None:
    runs = cron(1)
    assert runs.look(on_cpu("a")).exit_code == 2
    gone = runs.look(down("a"))
    assert (gone.exit_code, gone.hosts[0].alarm) == (3, "unknown")
    assert {one.cause for one in alerts.present(runs.store)["a"]} == {
        "unknown: unreachable",
        "llama3.3:70b: not verified",  # nobody has seen that it is over
    }


def test_model_verdicts_and_speeds_are_kept(cron: Callable[[int], Cron]) -> None:
    runs = cron(1)
    for look in range(60):
        runs.look(*weather(look))
    (well,) = models.spans(runs.store, "well")
    assert (well.verdict, well.looks, well.tokens_per_second) == ("verified", 60, 95.4)
    assert [span.verdict for span in models.spans(runs.store, "broken")] == ["verified", "not_verified"]


def test_without_a_database_everything_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ongpu.sqlite3"
    path.write_text("this is no database, and long enough that SQLite sees it" * 50)
    result = Cron(path, 3).look(on_cpu("a"), proven("b"))
    assert (result.exit_code, result.hosts[0].alerts) == (2, None)


def test_a_database_that_breaks_in_the_middle_loses_no_result(cron: Callable[[int], Cron]) -> None:
    runs = cron(1)

    def streamed() -> Iterator[HostResult]:
        for number in range(120):
            if number == 60:
                runs.store.path.write_bytes(b"overwritten" * 5000)
            yield on_cpu(f"gpu{number}")

    result = runs.look(*streamed())
    assert len(result.hosts) == 120
    assert result.exit_code == 2


def test_a_verification_keeps_each_models_proof_and_each_hosts_state(tmp_path: Path) -> None:
    store = Store(tmp_path / "ongpu.sqlite3")
    results = [proven("a"), on_cpu("b"), down("c")]
    assert list(proofs(store, iter(results), lambda: START)) == results
    (run,) = store.runs(5)
    assert (run.command, run.exit_code) == ("verify", 2)
    assert [(row.host, row.state) for row in store.states()] == [("a", "completed"), ("b", "error"), ("c", "error")]
    assert [span.verdict for span in models.spans(store, "b")] == ["not_verified"]
    assert spans.latest(store) == []  # of what is declared it says nothing


_RUN = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ongpu.history.recorder import Recorder
from ongpu.history.store import Store
from tests.report.samples import on_cpu
log = Recorder(Store(Path(sys.argv[1])), "drift", 1, lambda: datetime.now(UTC))
for look in range(1000):
    for result in log.recorded(on_cpu(f"gpu{number}") for number in range(50)):
        pass
    log.finish(2, timedelta(days=90))
    log.run = ""
    print(look, flush=True)  # reported
"""


@pytest.mark.parametrize("pause", [0.0, 0.013, 0.07])
def test_a_kill_loses_nothing_that_was_reported(tmp_path: Path, pause: float) -> None:
    path = tmp_path / "ongpu.sqlite3"
    run = subprocess.Popen([sys.executable, "-c", _RUN, str(path)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    reported = int(run.stdout.readline()) + 1
    time.sleep(pause)  # the moment is the test
    os.kill(run.pid, signal.SIGKILL)
    rest = run.stdout.read().split()
    run.wait()
    reported += len(rest)
    store = Store(path)
    assert all(span.looks >= reported for span in spans.latest(store))
    assert len(spans.latest(store)) == 50
    assert sum(one.finished_at is not None for one in store.runs(10_000)) >= reported
    assert len(alerts.present(store)) == 50

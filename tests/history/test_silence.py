from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ongpu.history.recorder import Recorder
from ongpu.history.silence import sentences
from ongpu.history.store import Store
from tests.report.samples import down, proven

HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "ongpu.sqlite3")


def check(store: Store, at: datetime) -> None:
    """A drift check that reads gpu01, and cannot read gpu05."""
    log = Recorder(store, "drift", 1, lambda: at)
    list(log.recorded(iter([proven("gpu01"), down("gpu05")])))
    log.finish(3, timedelta(days=90))


def test_a_check_that_just_ended_is_not_silent(store: Store) -> None:
    check(store, datetime.now(UTC))
    assert sentences(store, HOUR, datetime.now(UTC)) == []


def test_a_check_that_stopped_is(store: Store) -> None:
    check(store, datetime.now(UTC))
    check_, host = sentences(store, HOUR, datetime.now(UTC) + 3 * HOUR)
    assert check_.startswith("SILENT: the last `ongpu drift` ended 3 h ago")
    assert host.startswith("SILENT: gpu01 was read 3 h ago")


def test_a_host_that_could_not_be_read_for_long_is_named(store: Store) -> None:
    now = datetime.now(UTC)
    log = Recorder(store, "drift", 1, lambda: now - 2 * HOUR)
    list(log.recorded(iter([proven("gpu05")])))
    check(store, now)
    (host,) = sentences(store, HOUR, now + timedelta(seconds=1))
    assert host.startswith("SILENT: gpu05 was read 2 h")
    assert sentences(store, HOUR, now + timedelta(seconds=1), "gpu01") == []


def test_a_run_that_was_killed_is_no_check(store: Store) -> None:
    list(Recorder(store, "drift", 1, lambda: datetime.now(UTC)).recorded(iter([proven("gpu01")])))
    (told,) = sentences(store, HOUR, datetime.now(UTC))
    assert told == "SILENT: no `ongpu drift` has ever ended here; see the timer or crontab"

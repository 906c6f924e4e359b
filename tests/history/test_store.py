from __future__ import annotations

from pathlib import Path

import pytest

from ongpu.history.store import Store


def test_a_host_goes_its_way_through_a_run(tmp_path: Path) -> None:
    store = Store(tmp_path / "history" / "ongpu.sqlite3")
    run = store.begin("apply", ["a", "b"])
    store.note(run, "a", "processing")
    store.note(run, "a", "error", "no driver")
    store.finish(run, 2)
    assert [(s.state, s.message) for s in store.states("a")] == [
        ("idle", ""),
        ("processing", ""),
        ("error", "no driver"),
    ]
    assert len(store.states()) == 4


def test_a_corrupt_database_never_stops_a_run_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ongpu.sqlite3"
    path.write_text("not a database " * 100)
    store = Store(path)
    run = store.begin("apply", ["a"])
    store.note(run, "a", "completed")
    store.finish(run, 0)
    assert store.states() == []
    assert len(caplog.records) == 1
    assert "not recorded" in caplog.text

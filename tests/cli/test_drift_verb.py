from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ongpu.cli import history as history_verb
from ongpu.cli.drift import command
from ongpu.errors import ConfigError, NothingToDo, OngpuError
from ongpu.history.spans import latest, record, spans
from ongpu.history.store import Store
from ongpu.host.result import HostResult
from tests.report.samples import down, drifted, idle, on_cpu, proven


class Fleet:
    """Stands in for the hosts."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.results: list[HostResult] = []
        self.database = place / "history" / "ongpu.sqlite3"

    def drift(self, *results: HostResult, words: tuple[str, ...] = ()) -> Result:
        self.results = list(results)
        return CliRunner().invoke(
            command, ["-i", str(self.place / "inventory.py"), *words], standalone_mode=False
        )  # fmt: skip

    def history(self, *words: str) -> Result:
        return CliRunner().invoke(
            history_verb.command, ["-i", str(self.place / "inventory.py"), *words], standalone_mode=False
        )  # fmt: skip

    def store(self) -> Store:
        return Store(self.database)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    made = Fleet(tmp_path)

    def streamed(options: object) -> Iterator[HostResult]:
        if not made.results:
            raise NothingToDo("inventory.py: no host is declared")
        yield from made.results

    monkeypatch.setattr("ongpu.fleet.drift.drift_fleet", streamed)
    return made


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ((proven(), idle()), 0),
        ((proven(), drifted()), 2),
        ((proven(), on_cpu(), down()), 2),
        ((proven(), down()), 3),
    ],
)
def test_exit_codes(fleet: Fleet, results: tuple[HostResult, ...], code: int) -> None:
    assert fleet.drift(*results).return_value == code


def test_several_reports_at_once(fleet: Fleet, tmp_path: Path) -> None:
    files = {name: tmp_path / f"out.{name}" for name in ("html", "json", "junit", "nagios", "prometheus")}
    words = [word for name, path in files.items() for word in ("--out", f"{name}={path}")]
    assert fleet.drift(proven(), drifted(), words=tuple(words)).return_value == 2
    assert json.loads(files["json"].read_text())["command"] == "drift"
    for name, beginning in {
        "html": "<!doctype html>",
        "junit": "<?xml ",
        "nagios": "ONGPU CRITICAL - ",
        "prometheus": "# HELP ",
    }.items():
        assert files[name].read_text().startswith(beginning), name


def test_nagios_has_its_own_exit_codes_also_for_errors(fleet: Fleet) -> None:
    nagios = ("--format", "nagios")
    assert fleet.drift(proven(), words=nagios).return_value == 0
    assert fleet.drift(on_cpu(), words=nagios).return_value == 2
    assert fleet.drift(down(), words=nagios).return_value == 3
    nobody = fleet.drift(words=nagios)
    assert (nobody.return_value, nobody.output) == (3, "ONGPU UNKNOWN - inventory.py: no host is declared\n")
    wrong = fleet.drift(proven(), words=(*nagios, "--out", "pdf=x"))
    assert wrong.return_value == 3
    assert "expected FORMAT=PATH" in wrong.output


def test_other_formats_leave_errors_to_the_command(fleet: Fleet) -> None:
    done = fleet.drift(words=("--format", "json"))
    assert isinstance(done.exception, NothingToDo)
    assert not fleet.database.exists()


def test_runs_and_hosts_are_recorded(fleet: Fleet) -> None:
    fleet.drift(proven(), down())
    fleet.drift(proven(), proven("gpu05"))
    store = fleet.store()
    assert [(run.command, run.exit_code, run.finished_at is not None) for run in store.runs(9)] == [
        ("drift", 0, True),
        ("drift", 3, True),
    ]
    assert [(span.verdict, span.looks) for span in spans(store, "gpu01")] == [("ok", 2)]
    assert [span.verdict for span in spans(store, "gpu05")] == ["unknown", "ok"]


def test_more_hosts_than_one_transaction_takes(fleet: Fleet) -> None:
    fleet.drift(*[proven(f"gpu{number:03}") for number in range(120)])
    assert len(latest(fleet.store())) == 120


def test_what_is_older_than_the_retention_is_forgotten(fleet: Fleet) -> None:
    record(fleet.store(), "drift", [proven("gone")], datetime.now(UTC) - timedelta(days=8))
    old = fleet.store().begin("apply", ["gone"])
    with sqlite3.connect(fleet.database) as database:
        database.execute("UPDATE runs SET started_at = '2020-01-01' WHERE id = ?", (old,))
        database.execute("UPDATE host_states SET at = '2020-01-01' WHERE run = ?", (old,))
    fleet.drift(proven(), words=("--keep", "7"))
    assert [span.host for span in latest(fleet.store())] == ["gpu01"]
    assert [run.command for run in fleet.store().runs(9)] == ["drift"]
    assert fleet.store().states() == []


def test_a_corrupt_database_never_stops_a_check(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    fleet.database.parent.mkdir()
    fleet.database.write_text("not a database " * 100)
    done = fleet.drift(proven(), on_cpu())
    assert done.return_value == 2
    assert "gpu04" in done.output
    assert len(caplog.records) == 1
    refused = fleet.history()
    assert isinstance(refused.exception, OngpuError)
    assert "cannot be read" in str(refused.exception)


def test_a_locked_database_is_waited_for_once(
    fleet: Fleet, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "PATIENCE", 0.4)
    fleet.drift(proven())
    holder = sqlite3.connect(fleet.database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    begin = datetime.now(UTC)
    done = fleet.drift(*[proven(f"gpu{number:03}") for number in range(400)])
    holder.close()
    assert done.return_value == 0
    assert (datetime.now(UTC) - begin).total_seconds() < 1.2
    assert "not recorded" in caplog.text


# --- history -----------------------------------------------------------------------------------------------------


def test_the_fleets_present_state_worst_first(fleet: Fleet) -> None:
    fleet.drift(proven(), on_cpu(), down())
    lines = fleet.history().output.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["HOST", "gpu04", "gpu05", "gpu01"]
    assert lines[5].split() == ["RUN", "VERB", "STARTED", "FINISHED", "EXIT"]
    assert lines[6].split()[-1] == "2"


def test_since_when_a_host_is_so_and_what_changed_before(fleet: Fleet) -> None:
    fleet.drift(proven("gpu04"))
    worse = on_cpu()
    fleet.drift(HostResult(**{**_fields(worse), "facts": {**worse.facts, "driver_library": "580.105.08"}}))
    text = fleet.history("gpu04").output
    way, alerts, models = text.split("\n\n")
    newest, oldest = (line for line in way.splitlines() if not line.startswith(" "))
    assert alerts.splitlines()[1].split()[:2] == ["ALERT", "gpu04"]
    assert [line.split()[0] for line in models.splitlines()[1:]] == ["llama3.1:8b", "llama3.3:70b"]
    assert " to now  FAILED  (1 look, last " in newest
    assert "  OK  " in oldest
    assert "  - llama3.3:70b: not verified\n" in text
    assert "  changed before: driver_library (not known) -> 580.105.08\n" in text
    body = json.loads(fleet.history("gpu04", "--format", "json").output)
    assert [span["verdict"] for span in body["spans"]] == ["ok", "failed"]
    assert [alert["state"] for alert in body["alerts"]] == ["alert"]
    assert body["spans"][1]["changed_before"] == ["driver_library (not known) -> 580.105.08"]


def _fields(result: HostResult) -> dict[str, object]:
    return {name: getattr(result, name) for name in HostResult.__dataclass_fields__}


def test_a_host_without_history_and_a_missing_history_are_errors(fleet: Fleet) -> None:
    missing = fleet.history()
    assert isinstance(missing.exception, NothingToDo)
    assert "`ongpu drift` writes it" in str(missing.exception)
    fleet.drift(proven())
    nobody = fleet.history("gpu99")
    assert isinstance(nobody.exception, NothingToDo)
    assert "knows no host 'gpu99'" in str(nobody.exception)


def test_the_way_through_an_apply_is_shown(fleet: Fleet) -> None:
    store = fleet.store()
    run = store.begin("apply", ["gpu01"])
    store.note(run, "gpu01", "processing")
    store.note(run, "gpu01", "error", "no driver")
    assert [line.split()[3] for line in fleet.history("gpu01").output.splitlines()[1:]] == [
        "idle",
        "processing",
        "error",
    ]
    assert "not finished" in fleet.history().output


def test_debounce_holds_the_exit_code_back_until_a_cause_was_seen_often_enough(fleet: Fleet) -> None:
    assert [fleet.drift(on_cpu(), words=("--debounce", "3")).return_value for _ in range(3)] == [0, 0, 2]


def test_a_silent_check_is_found(fleet: Fleet) -> None:
    fleet.drift(proven())
    assert fleet.history("--max-age", "1h").return_value == 0
    silent = fleet.history("--max-age", "0s")
    assert silent.return_value == 2
    assert silent.output.startswith("SILENT: the last `ongpu drift` ended ")
    assert isinstance(fleet.history("--max-age", "soon").exception, ConfigError)

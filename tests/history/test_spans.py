from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings

from ongpu.history.spans import Span, causes_of, differences, forget, latest, record, spans
from ongpu.history.store import Store
from ongpu.host.result import FleetResult, HostResult
from tests.report.samples import ANY_FLEET, FACTS, down, drifted, idle, on_cpu, proven

START = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
Looking = Callable[..., list[Span]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "ongpu.sqlite3")


@pytest.fixture
def looks(store: Store) -> Looking:
    """`looks(result, ...)`: one look every five minutes; the spans of gpu01 that follow from them."""

    def run(*results: HostResult) -> list[Span]:
        for number, result in enumerate(results):
            record(store, "drift", [replace(result, host="gpu01")], START + timedelta(minutes=5 * number))
        return spans(store, "gpu01")

    return run


def test_equal_looks_are_one_span(looks: Looking) -> None:
    (span,) = looks(proven(), proven(), idle(), proven())  # what is loaded just now makes no difference
    assert (span.verdict, span.looks, span.causes) == ("ok", 4, ())
    assert span.since == "2026-11-24T05:00:00.000+00:00"
    assert span.last_seen == "2026-11-24T05:15:00.000+00:00"


def test_a_change_begins_a_span_and_says_what_differed_just_before(looks: Looking) -> None:
    upgraded = replace(on_cpu(), facts={**FACTS, "driver_library": "580.105.08", "ollama": "0.33.0"})
    before, after = looks(proven(), proven(), upgraded)
    assert (before.verdict, after.verdict) == ("ok", "failed")
    assert after.causes == ("llama3.3:70b: not verified",)
    assert differences(before, after) == (
        "ollama 0.32.15 -> 0.33.0",
        "driver_library (not known) -> 580.105.08",
    )


def test_while_a_host_is_away_its_last_facts_are_kept(looks: Looking) -> None:
    well, away, back = looks(proven(), down(), down(), replace(proven(), facts={**FACTS, "boot_id": "77aa"}))
    assert away.causes == ("unknown: unreachable",)
    assert differences(well, away) == ()
    assert differences(away, back) == ("boot_id 5f2c -> 77aa",)


def test_the_same_verdict_for_another_cause_is_another_span(looks: Looking) -> None:
    other = replace(down(), unknowns=(replace(down().unknowns[0], what="timeout"),))
    assert [span.causes for span in looks(down(), other)] == [("unknown: unreachable",), ("unknown: timeout",)]


def test_latest_is_one_span_per_host(store: Store) -> None:
    record(store, "drift", [proven("b"), drifted("a")], START)
    record(store, "drift", [proven("b"), proven("a")], START + timedelta(hours=1))
    assert [(span.host, span.verdict, span.looks) for span in latest(store)] == [("a", "ok", 1), ("b", "ok", 2)]


def test_retention_keeps_what_still_holds(store: Store) -> None:
    record(store, "drift", [drifted("a"), down("gone")], START)
    for day in range(1, 40):
        record(store, "drift", [proven("a")], START + timedelta(days=day))
    forget(store, START + timedelta(days=9))
    (span,) = latest(store)
    assert (span.host, span.looks, span.since[:10]) == ("a", 39, "2026-11-25")
    assert spans(store, "a") == [span]


def test_a_check_every_five_minutes_for_a_day_costs_one_row(looks: Looking, store: Store) -> None:
    assert len(looks(*[proven()] * 288)) == 1
    assert store.path.stat().st_size < 100_000


@given(ANY_FLEET)
@settings(max_examples=20, deadline=None)
def test_any_result_can_be_recorded(tmp_path_factory: pytest.TempPathFactory, result: FleetResult) -> None:
    store = Store(tmp_path_factory.mktemp("history") / "ongpu.sqlite3")
    record(store, "drift", result.hosts)
    record(store, "drift", result.hosts)
    assert not store.broken
    for host in result.hosts:
        assert spans(store, host.host)[-1].causes == tuple(causes_of(_last(result, host.host)))


def _last(result: FleetResult, name: str) -> HostResult:
    return [host for host in result.hosts if host.host == name][-1]

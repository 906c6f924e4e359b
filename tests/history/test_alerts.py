from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongpu.history.alerts import Watched, keep, log_of, observe, present
from ongpu.history.store import Store
from ongpu.host.result import HostResult
from tests.report.samples import down, drifted, on_cpu, proven

START = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
EVERY = timedelta(minutes=15)
LOST = "llama3.3:70b: not verified"  # what on_cpu() is about


def states(looks: Sequence[HostResult], debounce: int) -> list[dict[str, str]]:
    """After each look: cause -> state, `over` when it just ended."""
    rows: tuple[Watched, ...] = ()
    told = []
    for number, result in enumerate(looks):
        rows = observe(rows, replace(result, host="gpu01"), START + number * EVERY, debounce)
        told.append({row.cause: "over" if row.ended_at else row.state for row in rows})
    return told


def of(cause: str, told: list[dict[str, str]]) -> list[str]:
    return [look.get(cause, "-") for look in told]


def test_without_debounce_everything_counts_at_once() -> None:
    told = states([proven(), on_cpu(), on_cpu(), proven(), proven()], 1)
    assert of(LOST, told) == ["-", "alert", "alert", "over", "-"]


def test_a_cause_counts_when_it_was_seen_often_enough_in_a_row() -> None:
    told = states([on_cpu(), proven(), on_cpu(), on_cpu(), on_cpu()], 3)
    assert of(LOST, told) == ["pending", "-", "pending", "pending", "alert"]


def test_recovery_needs_a_confirming_look() -> None:
    told = states([on_cpu(), on_cpu(), proven(), on_cpu(), proven(), proven(), proven()], 2)
    assert of(LOST, told) == ["pending", "alert", "clearing", "alert", "clearing", "over", "-"]


def test_a_look_that_could_not_see_ends_nothing() -> None:
    told = states([on_cpu(), down(), down(), down(), proven()], 1)
    assert of(LOST, told) == ["alert", "alert", "alert", "alert", "over"]
    assert of("unknown: unreachable", told) == ["-", "alert", "alert", "alert", "over"]


def test_another_cause_has_a_count_of_its_own() -> None:
    both = replace(on_cpu(), changes=drifted().changes)
    told = states([on_cpu(), both, both], 3)
    assert of(LOST, told) == ["pending", "pending", "alert"]
    assert of("override: write 50-ongpu.conf", told) == ["-", "pending", "pending"]


def test_a_bad_verdict_without_a_named_cause_is_still_watched() -> None:
    bare = HostResult(host="gpu01", verdict="refused", summary="another run is changing this host")
    assert of("refused", states([bare], 1)) == ["alert"]


def test_since_is_the_first_look_that_saw_it() -> None:
    rows: tuple[Watched, ...] = ()
    for number in range(4):
        rows = observe(rows, on_cpu("gpu01"), START + number * EVERY, 3)
    (row,) = rows
    assert (row.since, row.alerted_at, row.looks) == (
        "2026-11-24T05:00:00.000+00:00",
        "2026-11-24T05:30:00.000+00:00",
        4,
    )


@given(st.lists(st.sampled_from([proven(), on_cpu(), drifted(), down()]), max_size=30), st.integers(1, 5))
def test_an_alert_never_rises_early_nor_ends_unseen(looks: list[HostResult], debounce: int) -> None:
    told = of(LOST, states(looks, debounce))
    run = 0
    for number, (look, state) in enumerate(zip(looks, told, strict=True)):
        sees = look.verdict == "failed"
        run = run + 1 if sees else (run if look.verdict == "unknown" else 0)
        if state == "alert" and told[number - 1 : number] not in (["alert"], ["clearing"]):
            assert run >= debounce
        if state == "over":
            assert look.verdict != "unknown"
            assert not sees


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "ongpu.sqlite3")


def test_what_has_ended_stays_in_the_log_and_leaves_the_present(store: Store) -> None:
    for number, result in enumerate([on_cpu("a"), proven("a"), on_cpu("a")]):
        keep(store, {"a": observe(present(store).get("a", ()), result, START + number * EVERY, 1)})
    assert [row.state for row in present(store)["a"]] == ["alert"]
    first, second = log_of(store, "a")
    assert (first.ended_at, second.ended_at) == ("2026-11-24T05:15:00.000+00:00", "")
    assert second.since == "2026-11-24T05:30:00.000+00:00"


def test_writing_one_host_leaves_the_others_alone(store: Store) -> None:
    keep(store, {name: observe((), on_cpu(name), START, 1) for name in ("a", "b")})
    keep(store, {"a": observe(present(store)["a"], proven("a"), START + EVERY, 1)})
    assert list(present(store)) == ["b"]

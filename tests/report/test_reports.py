from __future__ import annotations

import json

from ongpu.host.result import FleetResult, HostResult, ModelResult, PlannedChange, Testimony
from ongpu.report import formats, renderer


def fleet(*hosts: HostResult) -> FleetResult:
    return FleetResult(command="apply", started_at="2026-11-24T05:00:00+00:00", finished_at="", hosts=hosts)


PROVEN = HostResult(
    host="gpu01",
    verdict="ok",
    summary="1 model, all on GPU",
    gpus="1 x RTX 4060 8 GB",
    models=(
        ModelResult(
            name="llama3.2:3b",
            verdict="verified",
            summary="llama3.2:3b runs fully on GPU 0",
            testimonies=(
                Testimony(witness="api", says="yes", why="all bytes"),
                Testimony(witness="driver", says="yes", why="3.4 GiB on GPU 0"),
                Testimony(witness="log", says="silent", why="journal unreadable"),
            ),
            size_bytes=3650722201,
            gpu_bytes=3650722201,
            context_length=8192,
            tokens_per_second=95.4,
        ),
    ),
)
DOWN = HostResult(host="gpu02", verdict="unknown", summary="unreachable: timed out", error="unreachable: timed out")


def test_table_shows_each_model_and_each_trouble() -> None:
    text = renderer("table")(fleet(PROVEN, DOWN))
    row = next(line for line in text.split("\n") if "llama3.2:3b" in line)
    assert [cell.strip() for cell in row.split("  ") if cell.strip()] == [
        "gpu01", "1 x RTX 4060 8 GB", "llama3.2:3b", "3.4 GiB", "100 %", "8192", "95", "verified",
        "api, driver (silent: log)",
    ]  # fmt: skip
    assert "gpu02  UNKNOWN: unreachable: timed out" in text
    assert text.endswith("2 hosts: 1 ok, 1 unknown; 1 of 1 model proven fully on GPU\n")


def test_almost_all_is_not_100_percent() -> None:
    model = ModelResult(
        name="m", verdict="not_verified", summary="m runs partly on CPU", testimonies=(), size_bytes=10**9,
        gpu_bytes=10**9 - 1,
    )  # fmt: skip
    text = renderer("table")(fleet(HostResult(host="h", verdict="failed", summary="x", models=(model,))))
    assert "99 %" in text
    assert "100 %" not in text


def test_table_shows_planned_changes_with_their_cost() -> None:
    change = PlannedChange(resource="restart", kind="change", summary="restart ollama", interrupts="restart")
    late = PlannedChange(resource="models", kind="deferred", summary="after Ollama runs")
    text = renderer("table")(fleet(HostResult(host="h", verdict="findings", summary="s", changes=(change, late))))
    assert "  ~ restart: restart ollama  (interrupts: restart)" in text
    assert "  … models: after Ollama runs" in text


def test_hosts_with_the_same_changes_are_shown_once() -> None:
    change = PlannedChange(resource="restart", kind="change", summary="restart ollama", diff="+ a\n")
    hosts = [HostResult(host=f"h{n}", verdict="findings", summary="s", changes=(change,)) for n in range(3)]
    text = renderer("table")(fleet(*hosts))
    assert "h0, h1, h2 (3 hosts)\n  ~ restart: restart ollama\n      + a\n" in text
    assert text.count("restart ollama") == 1


def test_json_record_carries_witnesses_and_exit_code() -> None:
    record = json.loads(renderer("json")(fleet(PROVEN, DOWN)))
    assert (record["schema_version"], record["verdict"], record["exit_code"]) == (1, "unknown", 3)
    assert record["hosts"][0]["models"][0]["witnesses"]["log"]["says"] == "silent"


def test_every_format_renders_an_empty_fleet_as_an_error() -> None:
    for name in formats():
        assert renderer(name)(fleet())
    assert fleet().exit_code == 1

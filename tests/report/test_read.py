from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.errors import OngpuError
from ongpu.host.result import FleetResult
from ongpu.report import renderer
from ongpu.report._read import joined, read
from tests.report.samples import ANY_FLEET, MIXED, drifted, fleet, on_cpu, proven


@given(ANY_FLEET)
@settings(max_examples=30, deadline=None)
def test_what_was_written_is_read_again(result: FleetResult) -> None:
    text = renderer("json")(result)
    assert renderer("json")(read(text, "x.json")) == text


def test_every_format_is_the_same_from_the_file() -> None:
    again = read(renderer("json")(MIXED), "x.json")
    for name in ("table", "html", "junit", "nagios", "prometheus"):
        assert renderer(name)(again) == renderer(name)(MIXED)


def test_shards_become_one_run() -> None:
    first, second = fleet(proven("b")), replace(fleet(on_cpu("a")), finished_at="2026-11-24T06:00:00+00:00")
    both = joined([first, second])
    assert [host.host for host in both.hosts] == ["a", "b"]
    assert (both.exit_code, both.finished_at) == (2, second.finished_at)
    with pytest.raises(OngpuError, match="b is in two of the reports"):
        joined([first, fleet(drifted("b"))])


@given(st.text(max_size=50) | st.recursive(st.none() | st.text(max_size=5), lambda kid: st.lists(kid)).map(json.dumps))
def test_what_is_no_report_is_said_in_one_sentence(text: str) -> None:
    with pytest.raises(OngpuError, match=r"^x\.json: this is no JSON report"):
        read(text, "x.json")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda body: body["hosts"][0].pop("models"), "the report is not complete"),
        (lambda body: body["hosts"][0].update(verdict="fine"), r"hosts\.0\.verdict"),
        (lambda body: body.update(schema_version=99), "schema_version 1"),
        (lambda body: body["hosts"][0]["models"][0].pop("witnesses"), "the report is not complete"),
    ],
)
def test_a_broken_report_names_the_place(edit: object, said: str) -> None:
    body = json.loads(renderer("json")(MIXED))
    edit(body)  # type: ignore[operator]
    with pytest.raises(OngpuError, match=said):
        read(json.dumps(body), "x.json")

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings

from ongpu.host.result import FleetResult, HostResult
from ongpu.report import exit_code, renderer, trouble
from tests.report.samples import ANY_FLEET, MIXED, down, drifted, fleet, hostile, idle, large, on_cpu, proven

PERFORMANCE = re.compile(r"[a-z_]+=\d+s?(;\d*){3,4}")


@pytest.mark.parametrize(
    ("hosts", "code", "word"),
    [
        ((proven(), idle()), 0, "OK"),
        ((proven(), replace(drifted(), findings=())), 1, "WARNING"),
        ((proven(), drifted()), 2, "CRITICAL"),
        ((proven(), on_cpu(), down()), 2, "CRITICAL"),
        ((proven(), down()), 3, "UNKNOWN"),
        ((down(), replace(drifted(), findings=())), 1, "WARNING"),
        ((HostResult(host="h", verdict="refused", summary="window"),), 1, "WARNING"),
        ((), 3, "UNKNOWN"),
    ],
)
def test_exit_codes_are_the_plugin_interfaces(hosts: tuple[HostResult, ...], code: int, word: str) -> None:
    assert exit_code("nagios", fleet(*hosts)) == code
    assert renderer("nagios")(fleet(*hosts)).startswith(f"ONGPU {word} - ")


def test_the_other_formats_keep_ongpus_exit_codes() -> None:
    assert exit_code("json", MIXED) == MIXED.exit_code == 2
    assert trouble("json", "no inventory") is None


def test_an_error_of_ongpu_is_unknown() -> None:
    assert trouble("nagios", "inventory.py: no host\nis declared | here") == (
        "ONGPU UNKNOWN - inventory.py: no host is declared / here\n",
        3,
    )


def test_first_line_names_the_worst_host_and_counts() -> None:
    first, *others = renderer("nagios")(MIXED).splitlines()
    text, numbers = first.split(" | ")
    assert text.startswith("ONGPU CRITICAL - 5 hosts: 1 failed, 1 findings, 2 ok, 1 unknown; gpu03: not as declared")
    assert "hosts=5;;;0 ok=2;;;0;5 findings=1;;;0;5 failed=1;;;0;5 refused=0;;;0;5 unknown=1;;;0;5" in numbers
    assert "models_not_on_gpu=1;;;0" in numbers
    assert numbers.endswith("time=42s;;;0")
    assert others[0].startswith("CRITICAL gpu03: ")
    assert others[-1] == "UNKNOWN gpu05: unreachable: timed out"


def _well_formed(text: str) -> None:
    first, *others = text.splitlines()
    assert first.count("|") == 1
    assert all(PERFORMANCE.fullmatch(one) for one in first.split(" | ")[1].split(" "))
    assert not any("|" in line for line in others)


@given(ANY_FLEET)
@settings(max_examples=40, deadline=None)
def test_any_text_leaves_the_line_whole(result: FleetResult) -> None:
    _well_formed(renderer("nagios")(result))


def test_long_and_hostile_texts_do_not_cut_the_performance_data() -> None:
    _well_formed(renderer("nagios")(fleet(hostile())))
    long = replace(on_cpu(), summary="x" * 5000)
    first = renderer("nagios")(fleet(long)).splitlines()[0]
    assert len(first) < 1024
    assert "time=42s" in first
    assert renderer("nagios")(large(1000)).splitlines()[-1].startswith("and ")

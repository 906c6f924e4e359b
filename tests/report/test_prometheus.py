from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from prometheus_client.parser import text_string_to_metric_families

from ongpu.host.result import FleetResult
from ongpu.report import renderer
from tests.report.samples import ANY_FLEET, GIB, HOSTILE, MIXED, down, fleet, hostile, proven

Key = tuple[str, frozenset[tuple[str, str]]]


def parsed(result: FleetResult) -> dict[Key, float]:
    """Every sample; the collector refuses a file with two equal ones or with a family in two places."""
    samples: dict[Key, float] = {}
    names = []
    for family in text_string_to_metric_families(renderer("prometheus")(result)):
        assert family.type == "gauge"
        assert family.documentation
        names.append(family.name)
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, key
            samples[key] = sample.value
    assert len(names) == len(set(names))
    return samples


def value(samples: Mapping[Key, float], name: str, **labels: str) -> float | None:
    found = [number for (one, has), number in samples.items() if one == name and labels.items() <= dict(has).items()]
    assert len(found) < 2, found
    return found[0] if found else None


def test_run_hosts_models_and_gpus() -> None:
    samples = parsed(MIXED)
    assert value(samples, "ongpu_run_finished_timestamp_seconds", command="drift") == 1795496442
    assert value(samples, "ongpu_run_duration_seconds") == 42
    assert value(samples, "ongpu_run_exit_code") == 2
    assert value(samples, "ongpu_hosts", verdict="ok") == 2
    assert value(samples, "ongpu_host_verdict", host="gpu04", verdict="failed") == 1
    assert value(samples, "ongpu_host_verdict", host="gpu04", verdict="ok") == 0
    assert value(samples, "ongpu_host_changes", host="gpu03", kind="change") == 1
    assert value(samples, "ongpu_host_findings", host="gpu03", rule="SW-007", severity="critical") == 1
    assert value(samples, "ongpu_host_info", host="gpu01", driver="580.95.05") == 1
    assert value(samples, "ongpu_model_verdict", host="gpu02", model="qwen3:8b", verdict="not_loaded") == 1
    assert value(samples, "ongpu_model_tokens_per_second", host="gpu01") == 95.4
    assert value(samples, "ongpu_gpu_memory_models_bytes", host="gpu03", gpu="0") == 11 * GIB


def test_what_is_not_known_has_no_sample() -> None:
    samples = parsed(fleet(down(), proven()))
    assert value(samples, "ongpu_host_unknowns", host="gpu05", what="unreachable") == 1
    for name in ("ongpu_host_changes", "ongpu_host_looked_timestamp_seconds", "ongpu_host_info"):
        assert not [key for key in samples if key[0] == name and ("host", "gpu05") in key[1]], name
    assert value(parsed(MIXED), "ongpu_gpu_memory_models_bytes", host="gpu03", gpu="1") is None


@given(ANY_FLEET)
@settings(max_examples=40, deadline=None)
def test_any_text_can_be_parsed(result: FleetResult) -> None:
    parsed(result)


def test_labels_come_through_unchanged() -> None:
    samples = parsed(fleet(hostile()))
    assert value(samples, "ongpu_host_verdict", host=HOSTILE, verdict="failed") == 1

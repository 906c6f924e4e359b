"""Metrics for node_exporter's textfile collector (`--out prometheus=/var/lib/node_exporter/ongpu.prom`).

The text format 0.0.4 of https://prometheus.io/docs/instrumenting/exposition_formats/. What is not known has no sample:
a zero would be a value. That the check itself still runs is seen in `ongpu_run_finished_timestamp_seconds`, which an
alert compares with `time()`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from ongpu.host.result import FleetResult, HostResult, HostVerdict, ModelVerdict, Severity

Sample = tuple[Mapping[str, str], float | None]
_SHOWN = ("os", "kernel", "driver", "driver_library", "cuda", "ollama")  # facts that do not change with every start


@dataclass(frozen=True, slots=True)
class _Metric:
    """A gauge: all its samples stand together under one HELP and TYPE line."""

    name: str
    text: str
    samples: Iterable[Sample]


def render(result: FleetResult) -> str:
    return "".join(_lines(metric) for metric in (*_run(result), *_hosts(result), *_models(result), *_gpus(result)))


def _run(result: FleetResult) -> Iterator[_Metric]:
    labels = {"command": result.command}
    started, finished = _moment(result.started_at), _moment(result.finished_at)
    seconds = finished - started if started is not None and finished is not None else None
    counts = Counter(host.verdict for host in result.hosts)
    by_verdict = [({**labels, "verdict": verdict}, float(counts[verdict])) for verdict in get_args(HostVerdict)]
    yield _Metric("ongpu_run_finished_timestamp_seconds", "When the last run was over.", [(labels, finished)])
    yield _Metric("ongpu_run_duration_seconds", "How long the last run took.", [(labels, seconds)])
    yield _Metric("ongpu_run_exit_code", "0 fine, 2 drift or failed, 3 unknown.", [(labels, int(result.exit_code))])
    yield _Metric("ongpu_hosts", "Hosts of the last run by verdict.", by_verdict)


def _hosts(result: FleetResult) -> Iterator[_Metric]:
    hosts = result.hosts
    verdicts = [
        ({"host": host.host, "verdict": verdict}, float(host.verdict == verdict))
        for host in hosts
        for verdict in get_args(HostVerdict)
    ]
    finished = _moment(result.finished_at)
    looked = [
        ({"host": host.host}, finished if host.facts else _moment(host.last_read_at))
        for host in hosts
        if host.facts or host.last_read_at
    ]
    info = [
        ({"host": host.host, **{name: host.facts.get(name, "") for name in _SHOWN}}, 1.0)
        for host in hosts
        if host.facts
    ]
    yield _Metric("ongpu_host_verdict", "1 for the host's verdict, 0 for the others.", verdicts)
    yield _Metric("ongpu_host_looked_timestamp_seconds", "When the host was last read.", looked)
    alarms = [({"host": host.host, "verdict": host.alarm}, float(host.alarm != "ok")) for host in hosts]
    yield _Metric("ongpu_host_alert", "1 when something wrong has been seen often enough (--debounce).", alarms)
    yield _Metric("ongpu_host_info", "Versions on the host.", info)
    yield _Metric("ongpu_host_changes", "Differences from what is declared, by kind.", _changes(hosts))
    yield _Metric("ongpu_host_findings", "Findings by rule.", _findings(hosts))
    yield _Metric("ongpu_host_unknowns", "What could not be looked at.", _unknowns(hosts))


def _changes(hosts: Iterable[HostResult]) -> Iterator[Sample]:
    """Without a look there is no sample: nobody knows whether there is a difference."""
    for host in hosts:
        if host.facts or host.changes:
            counts = Counter(change.kind for change in host.changes if change.state != "done")
            for kind in ("change", "deferred", "blocked"):
                yield {"host": host.host, "kind": kind}, float(counts[kind])


def _findings(hosts: Iterable[HostResult]) -> Iterator[Sample]:
    for host in hosts:
        counts: Counter[tuple[str, str, Severity]] = Counter()
        counts.update((finding.rule, finding.cause, finding.severity) for finding in host.findings)
        for (rule, cause, severity), count in counts.items():
            yield {"host": host.host, "rule": rule, "cause": cause, "severity": severity}, float(count)


def _unknowns(hosts: Iterable[HostResult]) -> Iterator[Sample]:
    for host in hosts:
        for what, count in Counter(unknown.what for unknown in host.unknowns).items():
            yield {"host": host.host, "what": what}, float(count)


def _models(result: FleetResult) -> Iterator[_Metric]:
    models = [({"host": host.host, "model": model.name}, model) for host in result.hosts for model in host.models]
    verdicts = [
        ({**labels, "verdict": verdict}, float(model.verdict == verdict))
        for labels, model in models
        for verdict in get_args(ModelVerdict)
    ]
    yield _Metric("ongpu_model_verdict", "1 for the model's verdict, 0 for the others.", verdicts)
    for name, text, field in (
        ("ongpu_model_bytes", "Size of the loaded model, by Ollama.", "size_bytes"),
        ("ongpu_model_gpu_bytes", "Of it on GPUs, by Ollama.", "gpu_bytes"),
        ("ongpu_model_context_length", "Context that it is loaded with, in tokens.", "context_length"),
        ("ongpu_model_tokens_per_second", "Of the last timed generation.", "tokens_per_second"),
    ):
        yield _Metric(name, text, [(labels, getattr(model, field)) for labels, model in models])


def _gpus(result: FleetResult) -> Iterator[_Metric]:
    devices = [
        ({"host": host.host, "gpu": str(one.index), "uuid": one.uuid, "name": one.name}, one)
        for host in result.hosts
        for one in host.devices
    ]
    for name, text, field in (
        ("ongpu_gpu_memory_total_bytes", "Memory of the GPU.", "total_bytes"),
        ("ongpu_gpu_memory_used_bytes", "Of it in use, by anybody.", "used_bytes"),
        ("ongpu_gpu_memory_models_bytes", "Of it held by Ollama's runners.", "models_bytes"),
        ("ongpu_gpu_memory_weights_bytes", "Of it weights of loaded models, by their logs.", "weights_bytes"),
        ("ongpu_gpu_memory_kv_bytes", "Of it KV cache and recurrent state, by their logs.", "kv_bytes"),
        ("ongpu_gpu_memory_compute_bytes", "Of it compute buffers, by their logs.", "compute_bytes"),
    ):
        yield _Metric(name, text, [(labels, getattr(one, field)) for labels, one in devices])


def _lines(metric: _Metric) -> str:
    """Equal label sets would be refused by the collector as a whole: the first one stands."""
    seen: dict[str, float] = {}
    for labels, value in metric.samples:
        if value is not None:
            seen.setdefault(",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items()), float(value))
    if not seen:
        return ""
    head = f"# HELP {metric.name} {metric.text}\n# TYPE {metric.name} gauge\n"
    return head + "".join(f"{metric.name}{{{labels}}} {value!r}\n" for labels, value in seen.items())


def _escaped(text: str) -> str:
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None

"""The result record as JSON, `schema_version` 1."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ongpu.host.result import FleetResult, HostResult, ModelResult

SCHEMA_VERSION = 1


def record(result: FleetResult) -> dict[str, Any]:
    """The published form: hosts with findings (root cause first), unknowns, changes and models."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": result.command,
        "started_at": result.started_at,
        "finished_at": result.finished_at,
        "verdict": result.verdict,
        "exit_code": int(result.exit_code),
        "hosts": [_host(host) for host in result.hosts],
    }


def _host(host: HostResult) -> dict[str, Any]:
    body = asdict(host)
    body["models"] = [_model(model) for model in host.models]
    return body


def _model(model: ModelResult) -> dict[str, Any]:
    return {
        "name": model.name,
        "verdict": model.verdict,
        "summary": model.summary,
        "witnesses": {
            said.witness: {"says": said.says, "why": said.why, "evidence": [asdict(line) for line in said.evidence]}
            for said in model.testimonies
        },
        "bytes": model.size_bytes,
        "bytes_on_gpu": model.gpu_bytes,
        "gpus": list(model.gpus),
        "context_length": model.context_length,
        "tokens_per_second": model.tokens_per_second,
        "prompt_tokens_per_second": model.prompt_tokens_per_second,
        "roofline_tokens_per_second": model.roofline_tokens_per_second,
        "advice": model.advice,
    }


def render(result: FleetResult) -> str:
    return json.dumps(record(result), indent=2, ensure_ascii=False) + "\n"

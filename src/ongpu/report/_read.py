"""The JSON report back into the record that every format is rendered from: for `ongpu report`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ongpu.errors import OngpuError
from ongpu.host.result import FleetResult, HostResult
from ongpu.report.json import SCHEMA_VERSION


def read(text: str, where: str) -> FleetResult:
    """What `--format json` wrote. Raises OngpuError with the place and what is wrong there."""
    from pydantic import TypeAdapter, ValidationError

    try:
        body = json.loads(text)
    except ValueError as error:
        raise OngpuError(f"{where}: this is no JSON report of ongpu: {error}") from None
    if not isinstance(body, dict) or body.get("schema_version") != SCHEMA_VERSION:
        raise OngpuError(f"{where}: this is no JSON report of ongpu with schema_version {SCHEMA_VERSION}")
    try:
        hosts = TypeAdapter(tuple[HostResult, ...]).validate_python([_host(host) for host in body["hosts"]])
        return FleetResult(
            command=str(body["command"]), started_at=str(body["started_at"]), finished_at=str(body["finished_at"]),
            hosts=hosts,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        raise OngpuError(f"{where}: hosts.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise OngpuError(f"{where}: the report is not complete: {error}") from None


def joined(parts: Sequence[FleetResult]) -> FleetResult:
    """Several runs, such as the shards of a large fleet, as one. Raises OngpuError where a host is in two of them."""
    names = [host.host for part in parts for host in part.hosts]
    if twice := next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None:
        raise OngpuError(f"{twice} is in two of the reports: reports of one run's shards have no host in common")
    return FleetResult(
        command=parts[0].command,
        started_at=min(part.started_at for part in parts),
        finished_at=max(part.finished_at for part in parts),
        hosts=tuple(sorted((host for part in parts for host in part.hosts), key=lambda host: host.host)),
    )


def _host(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "models": [_model(model) for model in body["models"]]}


def _model(body: dict[str, Any]) -> dict[str, Any]:
    model = dict(body)
    witnesses = model.pop("witnesses")
    model["testimonies"] = [{"witness": name, **said} for name, said in witnesses.items()]
    model["size_bytes"], model["gpu_bytes"] = model.pop("bytes"), model.pop("bytes_on_gpu")
    return model

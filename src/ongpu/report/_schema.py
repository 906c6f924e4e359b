"""JSON Schema of the JSON report, from the result record's own types. A test holds docs/result.schema.json to it."""

from __future__ import annotations

import json
from typing import Any, get_args

from ongpu.errors import Exit
from ongpu.host.result import HostResult, HostVerdict, WitnessSays
from ongpu.report.json import SCHEMA_VERSION


def schema() -> dict[str, Any]:
    """Draft 2020-12. Strict: every field is there, and no other one."""
    from pydantic import TypeAdapter  # not needed for any report

    host = TypeAdapter(HostResult).json_schema(mode="serialization", ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = host.pop("$defs")
    definitions["ModelResult"] = _model(definitions["ModelResult"])
    del definitions["Testimony"]
    definitions["HostResult"] = host
    verdict = {"enum": list(get_args(HostVerdict))}
    fleet = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ongpu result",
        "description": "What one run of ongpu says about hosts: `ongpu VERB --format json`.",
        "type": "object",
        "properties": {
            "schema_version": {"const": SCHEMA_VERSION},
            "command": {"type": "string", "description": "The verb."},
            "started_at": {"type": "string", "description": "ISO 8601 UTC."},
            "finished_at": {"type": "string", "description": "ISO 8601 UTC."},
            "verdict": {**verdict, "description": "Of the worst host."},
            "exit_code": {"enum": [int(code) for code in Exit]},
            "hosts": {"type": "array", "items": {"$ref": "#/$defs/HostResult"}},
        },
    }
    for definition in (fleet, *definitions.values()):
        _strict(definition)
    return {**fleet, "$defs": definitions}


def text() -> str:
    """As it is published."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _model(definition: dict[str, Any]) -> dict[str, Any]:
    """The published form names bytes as people say them, and has witnesses by name."""
    fields = dict(definition["properties"])
    witness = {
        "type": "object",
        "properties": {
            "says": {"enum": list(get_args(WitnessSays))},
            "why": {"type": "string"},
            "evidence": {"type": "array", "items": {"$ref": "#/$defs/Evidence"}},
        },
        "required": ["says", "why", "evidence"],
        "additionalProperties": False,
    }
    del fields["testimonies"]
    fields["witnesses"] = {"type": "object", "additionalProperties": witness}
    fields["bytes"] = fields.pop("size_bytes")
    fields["bytes_on_gpu"] = fields.pop("gpu_bytes")
    return {**definition, "properties": fields}


def _strict(definition: dict[str, Any]) -> None:
    definition["required"] = list(definition["properties"])
    definition["additionalProperties"] = False
    for field in definition["properties"].values():
        field.pop("title", None)
        field.pop("default", None)

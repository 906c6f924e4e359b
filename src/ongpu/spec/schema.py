"""JSON Schema of an inventory file, from the models. `python -m ongpu.spec.schema` prints inventory/schema.json.

For editors (yaml-language-server) and other tools. The loader is the judge: it also checks what a schema cannot say
(a host's groups exist, a range rises, Ollama knows the variable).
"""

from __future__ import annotations

import json
from typing import Any

from ongpu.spec.misplaced import HOST_ONLY, INTERNAL, TOP_ONLY
from ongpu.spec.model import HostSpec

_HIDDEN = {"key_text"}


def schema() -> dict[str, Any]:
    """Draft 2020-12. The same on every call: inventory/schema.json is held to it by a test."""
    whole = HostSpec.model_json_schema(by_alias=True)
    definitions = {name: _partial(definition) for name, definition in whole.pop("$defs").items()}
    host = _partial(whole)
    fields = host["properties"]
    for name in (*INTERNAL, "groups"):
        del fields[name]
    top = {name: fields.pop(name) for name in TOP_ONLY}
    definitions["Settings"] = {
        "description": "Settings of hosts: defaults < groups in the host's order < host; null removes.",
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
    }
    only = {
        "groups": {"type": ["array", "null"], "items": {"type": "string"}, "description": "Groups; later wins."},
        "skip": {"type": ["string", "null", "boolean"], "description": "Why this host is left out of every run."},
    }
    assert set(only) == set(HOST_ONLY)  # noqa: S101 - a key that is added there needs a description here
    definitions["Host"] = {**definitions["Settings"], "properties": {**only, **fields}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ongpu inventory",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1, "description": "Of the inventory's format."},
            "defaults": _or_null({"$ref": "#/$defs/Settings"}),
            "groups": _or_null(_map("#/$defs/Settings", "Settings that hosts share.")),
            "hosts": _or_null(_map("#/$defs/Host", "gpu01, or a range such as gpu[01:40].")),
            **top,
        },
        "$defs": dict(sorted(definitions.items())),
    }


def text() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _map(reference: str, description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": _or_null({"$ref": reference}),
    }


def _partial(model: dict[str, Any]) -> dict[str, Any]:
    """A model as it may stand in one layer: nothing is required there, and null removes what an earlier layer gave."""
    fields = {key: _or_null(value) for key, value in model.get("properties", {}).items() if key not in _HIDDEN}
    kept = {key: value for key, value in model.items() if key not in ("required", "title", "properties")}
    return {**kept, "properties": fields}


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {key: field[key] for key in ("description", "default") if key in field}
    if isinstance(described.get("default"), dict):
        del described["default"]  # of a whole section: its fields say theirs
    rest = {key: value for key, value in field.items() if key not in ("description", "default", "title")}
    kinds = rest.pop("anyOf") if set(rest) == {"anyOf"} else [rest]
    kinds = [_values_or_null(kind) for kind in kinds]
    if {"type": "null"} not in kinds:
        kinds = [*kinds, {"type": "null"}]
    return {**described, "anyOf": kinds}


def _values_or_null(kind: dict[str, Any]) -> dict[str, Any]:
    """A map's entries may be removed too: `models: {"llama3.1:8b": null}`."""
    inner = kind.get("additionalProperties")
    if not isinstance(inner, dict) or "$ref" not in inner:
        return kind
    return {**kind, "additionalProperties": _or_null(inner)}


if __name__ == "__main__":
    print(text(), end="")  # noqa: T201 - this is what the command is for

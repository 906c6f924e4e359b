"""Request bodies: JSON with Go's complaints, model options, keep_alive."""

from __future__ import annotations

import json
from typing import Any

from . import gojson, golog

_INTEGERS = (
    "num_ctx",
    "num_gpu",
    "num_batch",
    "num_thread",
    "num_keep",
    "num_predict",
    "main_gpu",
    "seed",
    "top_k",
    "repeat_last_n",
    "draft_num_predict",
)
_FLOATS = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
_BOOLEANS = ("use_mmap", "shift")
_NAMES = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


class BadRequest(Exception):
    """Status and text of the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def decode(body: bytes, struct: str, kinds: dict[str, type]) -> dict[str, Any]:
    """The fields of a request; `kinds` are those whose type is checked. Raises BadRequest."""
    if not body:
        raise BadRequest(400, "missing request body")
    text = body.decode(errors="replace")
    try:
        value, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except json.JSONDecodeError as error:
        raise BadRequest(400, _complaint(text.lstrip(), error)) from error
    if not isinstance(value, dict):
        raise BadRequest(400, f"json: cannot unmarshal {_go_kind(value)} into Go value of type api.{struct}")
    for field, kind in kinds.items():
        item = value.get(field)
        if item is not None and not (isinstance(item, kind) and (kind is bool or not isinstance(item, bool))):
            wanted = {
                str: "string",
                bool: "bool",
                dict: "map[string]interface {}",
                list: f"[]api.{field.capitalize()[:-1]}",
            }[kind]
            raise BadRequest(
                400, f"json: cannot unmarshal {_go_kind(item)} into Go struct field {struct}.{field} of type {wanted}"
            )
    return value


def _go_kind(value: object) -> str:
    return _NAMES.get(type(value), "null")


def _complaint(text: str, error: json.JSONDecodeError) -> str:
    at = error.pos
    if at >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
        return "unexpected EOF"
    char = text[at]
    what = {
        "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
        "Expecting ':' delimiter": "after object key",
        "Expecting ',' delimiter": "after object key:value pair",
    }.get(error.msg, "looking for beginning of value")
    return f"invalid character '{char}' {what}"


def options(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Modelfile parameters overlaid with those of the request. A wrong type raises BadRequest (500, as recorded)."""
    result = dict(defaults)
    for key, value in given.items():
        if key in _INTEGERS:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadRequest(500, f'option "{key}" must be of type integer')
            result[key] = int(value)
        elif key in _FLOATS:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadRequest(500, f'option "{key}" must be of type float32')
            result[key] = float(value)
        elif key in _BOOLEANS:
            if not isinstance(value, bool):
                raise BadRequest(500, f'option "{key}" must be of type boolean')
            result[key] = value
        elif key == "stop":
            result[key] = value
        else:
            golog.warn("types.go:1007", "invalid option provided", option=key)
    return result


def keep_alive(value: object) -> float | None:
    """Seconds, None if the request says nothing. Raises BadRequest."""
    forever = (2**63 - 1) / 1e9
    match value:
        case None:
            return None
        case bool():
            raise BadRequest(
                400, "json: cannot unmarshal bool into Go struct field GenerateRequest.keep_alive of type api.Duration"
            )
        case int() | float():
            return forever if value < 0 else float(value)
        case str():
            try:
                seconds = gojson.parse_duration(value)
            except ValueError as error:
                raise BadRequest(400, str(error)) from error
            return forever if seconds < 0 else seconds
        case _:
            raise BadRequest(
                400,
                "json: cannot unmarshal object into Go struct field GenerateRequest.keep_alive of type api.Duration",
            )

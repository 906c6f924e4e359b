"""The published JSON Schema is the code's: every record fits it, and nothing else does."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator, ValidationError

from ongpu.host.result import FleetResult
from ongpu.report import renderer
from ongpu.report._schema import schema, text
from ongpu.report.json import record
from tests.report.samples import ANY_FLEET, MIXED, fleet, hostile

FILE = Path(__file__).resolve().parents[2] / "docs" / "result.schema.json"
VALIDATOR = Draft202012Validator(schema())


def test_the_published_file_is_the_codes() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "write it anew: ongpu schema > docs/result.schema.json"
    Draft202012Validator.check_schema(schema())


@given(ANY_FLEET)
@settings(max_examples=40, deadline=None)
def test_any_record_fits(result: FleetResult) -> None:
    VALIDATOR.validate(json.loads(renderer("json")(result)))


def test_records_of_each_kind_fit() -> None:
    VALIDATOR.validate(json.loads(renderer("json")(MIXED)))
    VALIDATOR.validate(json.loads(renderer("json")(fleet(hostile()))))


def _objects(value: Any) -> list[dict[str, Any]]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [*([value] if isinstance(value, dict) else []), *(found for one in inside for found in _objects(one))]


def test_a_missing_or_unknown_field_does_not_fit() -> None:
    whole = json.loads(json.dumps(record(MIXED)))
    free = ("facts", "witnesses")  # their keys are data
    for number, part in enumerate(_objects(whole)):
        for key in part:
            if key not in whole["hosts"][0]["facts"] and "says" not in str(part[key])[:8]:
                other = copy.deepcopy(whole)
                del _objects(other)[number][key]
                with pytest.raises(ValidationError):
                    VALIDATOR.validate(other)
    assert all(key in whole["hosts"][0] or key in whole["hosts"][0]["models"][0] for key in free)
    other = copy.deepcopy(whole)
    other["hosts"][0]["models"][0]["speed"] = 1
    with pytest.raises(ValidationError):
        VALIDATOR.validate(other)

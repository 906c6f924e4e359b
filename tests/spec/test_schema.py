"""inventory/schema.json is what the models say, and says the same as the loader about good and bad files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.spec.test_load import GOOD

from ongpu.errors import ConfigError
from ongpu.spec.load import load
from ongpu.spec.schema import schema, text

TOP = Path(__file__).resolve().parent.parent.parent


def valid(document: str) -> list[str]:
    return [error.message for error in Draft202012Validator(schema()).iter_errors(yaml.safe_load(document))]


def test_the_published_file_is_up_to_date() -> None:
    published = (TOP / "inventory" / "schema.json").read_text(encoding="utf-8")
    assert published == text(), "run: python -m ongpu.spec.schema > inventory/schema.json"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_good_files_are_valid() -> None:
    assert valid(GOOD) == []
    assert valid((TOP / "inventory" / "fleet.yaml").read_text()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("branch:", "branhc:"),
        ('"0.32.15"', "latest"),
        ("drain: 1h30m", "drain: soon"),
        ("version: 1", "version: 2"),
        ("manage: false", "manage: perhaps"),
        ("hosts:", "host:"),
        ("user: ops", "name: x"),
        ("sudo: true", "port: 70000"),
    ],
)
def test_what_an_editor_marks_the_loader_refuses_too(tmp_path: Path, old: str, new: str) -> None:
    assert valid(GOOD.replace(old, new))
    (tmp_path / "fleet.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError):
        load(tmp_path)


def test_every_field_says_what_it_is_and_nothing_internal_is_shown() -> None:
    shown: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            shown.update(node.get("properties", {}))
            for inner in node.values():
                walk(inner)

    walk(schema())
    assert {"branch", "release", "skip", "groups", "canary", "from"} <= shown
    assert not {"key_text", "origin", "from_"} & shown
    assert "name" not in schema()["$defs"]["Host"]["properties"]
    assert json.loads(text()) == schema()

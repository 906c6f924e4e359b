from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from ongpu.cli.schema import command


@pytest.mark.parametrize(("words", "title"), [((), "ongpu result"), (("inventory",), "ongpu inventory")])
def test_both_schemas_are_schemas(words: tuple[str, ...], title: str) -> None:
    done = CliRunner().invoke(command, words, standalone_mode=False)
    schema = json.loads(done.output)
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == title

"""The pages under docs/rules are those that the rules' docstrings give, and what `ongpu rules ID` prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ongpu.cli.rules import command
from ongpu.rules.catalogue import Entry, catalogue
from ongpu.rules.pages import GENERATED, files, name_of, page

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "rules"


def test_the_pages_are_current() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert there == dict(files(catalogue())), "run script/docs"


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.rule.slug)
def test_the_program_prints_the_page(entry: Entry) -> None:
    printed = CliRunner().invoke(command, [entry.rule.id], standalone_mode=False).output
    assert printed.strip() == page(entry)
    written = (FOLDER / name_of(entry)).read_text(encoding="utf-8")
    assert written == f"{GENERATED}\n\n{printed.strip()}\n"


def test_pages_of_rules_that_are_gone_are_removed_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "XX-001-gone.md").write_text(f"{GENERATED}\n\nold")
    (tmp_path / "mine.md").write_text("mine")
    result = CliRunner().invoke(command, ["--write", str(tmp_path)], standalone_mode=False)
    assert result.exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {*files(catalogue()), "mine.md"}


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(command, ["--write", str(tmp_path / "file" / "docs")], standalone_mode=False)
    assert "cannot write" in str(result.exception)

"""Imports point one way (docs/design.md section 3), and the core knows no I/O."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent / "src"

# Each part may import these parts of ongpu (and itself). Files at the package's top are for everyone.
MAY_IMPORT = {
    "host": set(),
    "spec": {"host"},
    "probe": {"host"},
    "plan": {"spec", "host", "fit"},
    "fit": {"host"},
    "proof": {"host"},
    "rules": {"host"},
    "report": {"host"},
    "repair": {"rules", "plan", "spec", "host"},
    "history": {"host"},
    "engine": {"plan", "spec", "host", "probe", "proof", "rules", "fit", "repair"},
    "facts": {"engine", "plan", "spec", "host", "probe"},
    "operations": {"engine", "plan", "spec", "host", "probe"},
    "deploys": {"operations", "engine", "plan", "spec", "host"},
    "fleet": {
        "deploys",
        "operations",
        "engine",
        "plan",
        "spec",
        "host",
        "probe",
        "proof",
        "rules",
        "report",
        "history",
        "repair",
    },
    "cli": {"fleet", "deploys", "operations", "engine", "plan", "spec", "host", "probe", "proof", "rules", "report"}
    | {"history", "fit"},
}
TOP = {"errors", "resources"}
PURE = ("host", "spec", "plan", "fit", "proof", "rules", "repair", "report", "probe")
IMPURE_FILES = {"spec/load.py", "probe/local.py"}
IO_MODULES = {"pyinfra", "paramiko", "gevent", "socket", "subprocess", "urllib.request", "http.client", "time", "os"}


def imports_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def files() -> list[Path]:
    return sorted((SRC / "ongpu").rglob("*.py"))


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(SRC)))
def test_imports_point_one_way(file: Path) -> None:
    inside = file.relative_to(SRC / "ongpu")
    if len(inside.parts) == 1:
        return
    part = inside.parts[0]
    for name in imports_of(file):
        if name.split(".")[0] == "ongpu_lab":
            assert str(inside) == "cli/lab.py", f"{inside} imports {name}: product code never imports the lab"
        if name.startswith("ongpu."):
            target = name.split(".")[1]
            allowed = MAY_IMPORT[part] | TOP | {part}
            assert target in allowed, f"{inside} imports {name}: {part} may import {sorted(allowed)}"


@pytest.mark.parametrize(
    "file",
    [f for f in files() if f.relative_to(SRC / "ongpu").parts[0] in PURE],
    ids=lambda file: str(file.relative_to(SRC)),
)
def test_core_knows_no_io(file: Path) -> None:
    inside = str(file.relative_to(SRC / "ongpu"))
    if inside in IMPURE_FILES:
        return
    for name in imports_of(file):
        assert not {name, name.split(".")[0]} & IO_MODULES, f"{inside} imports {name}"


def test_no_file_outgrows_its_job() -> None:
    long = {str(f.relative_to(SRC)): n for f in files() if (n := len(f.read_text().splitlines())) > 300}
    assert not long, f"files of over 300 lines: {long}"

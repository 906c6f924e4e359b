"""Making a model from another, and removing one: what Ollama answers, and what is written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ongpu.plan import shell
from ongpu.plan.derived import Made, record
from ongpu.plan.types import Run
from tests.plan.bench import Bench, Said, Site

MINE, BASE = "a" * 64, "b" * 64
SUCCESS = b'{"status":"using existing layer"}\n{"status":"success"}\n'


def tags(**models: str) -> bytes:
    listed = [{"name": f"{name}:latest", "model": name, "digest": digest} for name, digest in models.items()]
    return json.dumps({"models": listed}, separators=(",", ":")).encode()


def create(url: str, place: Path, name: str = "mine:latest", definition: str = "cafe") -> Run:
    return shell.run(
        "make mine from base",
        "create",
        API=url,
        MODEL="mine",
        NAME=name,
        BASE="base:latest",
        BODY='{"model": "mine", "from": "base"}',
        DEFINITION=definition,
        RECORD=str(place / "state" / "derived"),
        HEADER="Managed by ongpu",
    )


def test_what_was_made_is_written_down(bench: Bench, site: Site, tmp_path: Path) -> None:
    site.post = lambda path, body: SUCCESS
    site.files["/api/tags"] = tags(mine=MINE, base=BASE)
    assert bench.run(create(site.url, tmp_path)) == Said(0, "")
    file = tmp_path / "state" / "derived"
    assert record(file.read_text()) == {"mine:latest": Made(MINE, "cafe", BASE)}
    assert file.read_text().startswith("# Managed by ongpu\n")
    site.files["/api/tags"] = tags(mine="c" * 64, base=BASE, other="d" * 64)
    assert bench.run(create(site.url, tmp_path, definition="beef")).code == 0
    assert bench.run(create(site.url, tmp_path, name="other:latest")).code == 0
    assert record(file.read_text()) == {
        "mine:latest": Made("c" * 64, "beef", BASE),
        "other:latest": Made("d" * 64, "cafe", BASE),
    }


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b'{"error":"model \'base\' not found"}\n', "Ollama says: model 'base' not found"),
        (b'{"status":"reading model metadata"}\n', "Ollama did not finish it: "),
        (b"", "Ollama did not finish it: no answer"),
    ],
)
def test_nothing_is_written_down_for_what_was_not_made(
    bench: Bench, site: Site, tmp_path: Path, answer: bytes, says: str
) -> None:
    site.post = lambda path, body: answer
    said = bench.run(create(site.url, tmp_path))
    assert said.code == 1
    assert said.reason.startswith(says)
    assert not (tmp_path / "state").exists()


def test_a_record_of_anything_else_is_empty() -> None:
    assert record("# Managed by ongpu\n\nx y z\nname zz cafe beef\n" + "a" * 2000) == {}


def prune(url: str) -> Run:
    return shell.run("remove old", "prune", API=url, NAME="old:latest", BODY='{"model": "old:latest"}')


def test_what_is_loaded_meanwhile_is_left_alone(bench: Bench, site: Site) -> None:
    site.files["/api/ps"] = json.dumps({"models": [{"name": "old:latest"}]}, separators=(",", ":")).encode()
    said = bench.run(prune(site.url))
    assert (said.code, said.reason) == (1, "it is loaded now: it was left alone")
    assert [method for method, _, _ in site.requests] == ["GET"]


@pytest.mark.parametrize("answer", [None, b"<html>", b"{}"])
def test_what_may_be_in_use_is_left_alone(bench: Bench, site: Site, answer: bytes | None) -> None:
    if answer is not None:
        site.files["/api/ps"] = answer
    said = bench.run(prune(site.url))
    assert said.code == 1
    assert said.reason.startswith("cannot tell whether it is in use: ")


def test_a_model_is_removed(bench: Bench, site: Site) -> None:
    site.files["/api/ps"] = b'{"models":[]}'
    site.delete = 200
    assert bench.run(prune(site.url)) == Said(0, "")
    assert site.requests[-1][:2] == ("DELETE", "/api/delete")
    site.delete = 500
    assert bench.run(prune(site.url)).reason == "the Ollama API answered 500"
    assert bench.run(prune("http://127.0.0.1:9")).code == 1

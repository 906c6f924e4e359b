"""Pulling, held against recorded pulls from a registry with the same faults."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standin_bench import Bench, Server
from standin_models import tiny
from standin_recorded import RECORDINGS, Exchange, exchange
from standin_registry import Registry

from ongpu_lab.ollama import registry

SCENARIOS = sorted(path.stem for path in (RECORDINGS / "pull").glob("[01]*.json"))
# The real server reads a WWW-Authenticate header here and complains about its absence; ours gives the plain reason.
OWN_WORDS = {"09-manifest-401"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    place = Bench(tmp_path_factory.mktemp("pull"))
    registry.write(tiny(), place.root / "registry")
    yield place
    place.close()


@pytest.fixture(scope="module")
def shared(bench: Bench) -> Server:
    return bench.serve()


@pytest.fixture
def server(bench: Bench, shared: Server) -> Server:
    """The one server, with an empty store."""
    for path in [*(bench.root / "store").rglob("*")]:
        if path.is_file():
            path.unlink()
    return shared


def _plain(text: str) -> str:
    """Without ports, digests and the place of the store."""
    text = re.sub(r"127\.0\.0\.1:\d+", "HOST", text)
    return re.sub(r"[0-9a-f]{64}", "DIGEST", text)


def _statuses(records: list[dict[str, Any]]) -> list[str]:
    """The order of the records, without the progress of single layers: the recorded registry was too fast for any."""
    return [
        _plain(json.dumps(record))
        for record in records
        if not record.get("status", "").startswith("pulling ") or "manifest" in record["status"]
    ]


def _ask(server: Server, recorded: Exchange, port: int) -> list[dict[str, Any]]:
    assert recorded.request_body is not None
    body = json.loads(recorded.request_body)
    body["model"] = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", body["model"])
    reply = server.post("/api/pull", body)
    assert reply.status == recorded.status
    assert reply.headers.get("Content-Type") == recorded.headers.get("Content-Type")
    return reply.lines()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_pull_answers_as_recorded(bench: Bench, server: Server, scenario: str) -> None:
    control = json.loads((RECORDINGS / f"pull/{scenario}.json").read_text())
    recorded = exchange(RECORDINGS / f"pull/{scenario}.http")
    place = Registry(bench.root / "registry", control)
    try:
        records = _ask(server, recorded, place.port)
    finally:
        place.close()
    if scenario in OWN_WORDS:
        assert records[-1] == {"error": "pull model manifest: unauthorized: access denied"}
    else:
        assert _statuses(records) == _statuses(recorded.records())
    names = [model["name"] for model in server.ask("GET", "/api/tags").json()["models"]]
    assert bool(names) == (records[-1] == {"status": "success"})


def test_requests_of_a_pull_are_the_recorded_ones(bench: Bench, server: Server) -> None:
    place = Registry(bench.root / "registry", {})
    server.post("/api/pull", {"model": f"127.0.0.1:{place.port}/library/tiny:latest", "insecure": True})
    place.close()
    recorded = [json.loads(line) for line in (RECORDINGS / "pull/02-requests.jsonl").read_text().splitlines()]
    theirs = [(entry["method"], "Range" in entry["headers"], entry["status"]) for entry in recorded]
    # The recorded model had one layer and a config; ours has a template too.
    assert [(method, bool(part), status) for method, _, part, status in place.requests][:4] == theirs[:4]
    assert len(place.requests) == 1 + 3 * 3
    assert place.requests[1][1].endswith(_model_digest(bench))


def _model_digest(bench: Bench) -> str:
    manifest = json.loads((bench.root / "registry/v2/library/tiny/manifests/latest").read_text())
    return str(manifest["layers"][0]["digest"])


@pytest.mark.parametrize("name", ["01-refused", "02-nxdomain", "04-badname"])
def test_registry_that_cannot_be_reached(server: Server, name: str) -> None:
    recorded = exchange(RECORDINGS / f"pull/{name}.http")
    reply = server.ask("POST", "/api/pull", recorded.request_body)
    assert (reply.status, reply.lines()) == (recorded.status, recorded.records())


def test_second_pull_asks_for_the_manifest_only(bench: Bench, server: Server) -> None:
    place = Registry(bench.root / "registry", {})
    body = {"model": f"127.0.0.1:{place.port}/library/tiny:latest", "insecure": True}
    server.post("/api/pull", body)
    before = len(place.requests)
    records = server.post("/api/pull", body).lines()
    place.close()
    assert len(place.requests) == before + 1
    recorded = exchange(RECORDINGS / "pull/23-already-present.http").records()
    assert [sorted(record) for record in records[:2]] == [sorted(record) for record in recorded[:2]]
    assert [record["status"] for record in records[-3:]] == [record["status"] for record in recorded[-3:]]
    assert records[1]["total"] == records[1]["completed"] > 7_000_000  # the real size, of which the lab holds a header


def test_interrupted_pull_goes_on_where_it_stopped(bench: Bench, server: Server) -> None:
    place = Registry(bench.root / "registry", {"cut_times": 99})
    body = {"model": f"127.0.0.1:{place.port}/library/tiny:latest", "insecure": True}
    assert "max retries exceeded" in server.post("/api/pull", body).lines()[-1]["error"]
    assert list((bench.root / "store/blobs").glob("*-partial"))
    place.cuts, place.requests = 0, []
    assert server.post("/api/pull", body).lines()[-1] == {"status": "success"}
    place.close()
    first = next(part for _, _, part, _ in place.requests if part)
    assert not first.startswith("bytes=0-")
    blob = bench.root / "store/blobs" / _model_digest(bench).replace(":", "-")
    assert hashlib.sha256(blob.read_bytes()).hexdigest() == _model_digest(bench).removeprefix("sha256:")
    assert not list((bench.root / "store/blobs").glob("*-partial*"))


def test_full_disk_is_the_recorded_error(bench: Bench, server: Server) -> None:
    place = Registry(bench.root / "registry", {})
    blobs = bench.root / "store/blobs"
    digest = _model_digest(bench).replace(":", "-")
    (blobs / f"{digest}-partial").symlink_to("/dev/full")
    (blobs / f"{digest}-partial-0").write_text('{"Completed": 0}')
    records = server.post("/api/pull", {"model": f"127.0.0.1:{place.port}/library/tiny", "insecure": True}).lines()
    place.close()
    assert records[-1] == {"error": f"write {blobs}/{digest}-partial: no space left on device"}


def test_cli_pull_fails_with_the_error(server: Server, bench: Bench) -> None:
    done = bench.run("pull", "--insecure", "127.0.0.1:1/library/tiny", server=server)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        'Error: pull model manifest: Get "http://127.0.0.1:1/v2/library/tiny/manifests/latest": '
        "dial tcp 127.0.0.1:1: connect: connection refused"
    )


@pytest.mark.parametrize(
    ("knob", "error"),
    [
        ("status = 503", "pull model manifest: 503: "),
        ("corrupt = yes", "digest mismatch, file must be downloaded again: want sha256:"),
    ],
)
def test_pull_faults_of_the_lab(bench: Bench, server: Server, knob: str, error: str) -> None:
    place = Registry(bench.root / "registry", {})
    bench.knobs(f"[pull]\n{knob}\n")
    try:
        records = server.post("/api/pull", {"model": f"127.0.0.1:{place.port}/library/tiny", "insecure": True}).lines()
    finally:
        bench.knobs("")
        place.close()
    assert records[-1]["error"].startswith(error)


def test_registry_tree_is_complete(tmp_path: Path) -> None:
    from ongpu_lab.ollama.catalogue import entries

    for entry in entries():
        registry.write(entry, tmp_path)
        base = tmp_path / "v2/library" / entry.model
        manifest = json.loads((base / "manifests" / entry.tag).read_text())
        for layer in [manifest["config"], *manifest["layers"]]:
            data = (base / "blobs" / layer["digest"]).read_bytes()
            assert "sha256:" + hashlib.sha256(data).hexdigest() == layer["digest"]
            assert len(data) == layer["size"]
        assert len(entry.blob) < 100_000

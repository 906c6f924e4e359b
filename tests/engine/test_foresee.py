"""What is looked up before a pull: the real script, against a registry and an Ollama that answer on loopback."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ongpu.engine import ahead as engine
from ongpu.engine import foresee
from ongpu.engine.remote import Answer
from ongpu.fit.foreseen import Foreseen
from ongpu.fit.manifest import Place
from ongpu.host.ollama import Api, Model
from ongpu.host.reading import Known, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.spec.model import HostSpec
from tests.engine.fake_ollama import FakeOllama, serving
from tests.fit.planner import RECORDINGS

HEADER = (RECORDINGS / "llama.gguf").read_bytes()
KIND = "application/vnd.ollama.image."


class Registry(ThreadingHTTPServer):
    """`manifests`: model -> (status, body); `blobs`: digest -> bytes. `asked`: path and range of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.manifests: dict[str, tuple[int, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []

    def serve(self, model: str, data: bytes, size: int, kind: str = "model", name: str = "a") -> str:
        """A model whose weights claim to be `size` bytes. Its digest's hex."""
        digest = "sha256:" + name * 64
        self.blobs[digest] = data
        layer = {"mediaType": KIND + kind, "digest": digest, "size": size}
        config = {"mediaType": "x", "digest": "sha256:" + "9" * 64, "size": 500}
        self.manifests[model] = (200, json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}))
        return digest.removeprefix("sha256:")


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        words = self.path.split("/")
        self.server.asked.append((words[3] + "/" + words[4], wanted))
        if words[4] == "manifests":
            status, body = self.server.manifests.get(words[3], (404, "{}"))
            data = body.encode()
        else:
            data, status = self.server.blobs[words[5]][: int(wanted.partition("-")[2]) + 1], 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Bed:
    """One host whose commands run here."""

    def __init__(self, registry: Registry, ollama: FakeOllama, store: Path) -> None:
        self.registry, self.ollama, self.store = registry, ollama, store
        self.scripts: list[str] = []

    def run(self, host: object, script: str, seconds: int) -> Answer:
        self.scripts.append(script)
        done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, timeout=60, check=False)
        return Answer(done.stdout, "" if done.returncode == 0 else done.stderr)

    def look(self, models: dict[str, Any], *present: str) -> dict[str, Foreseen]:
        spec = HostSpec.model_validate(
            {
                "name": "gpu01",
                "ollama": {
                    "release": "0.32.15",
                    "listen": f"127.0.0.1:{self.ollama.port}",
                    "models_dir": str(self.store),
                },
                "models": models,
            }
        )
        stored = tuple(
            Model(
                name=name,
                digest="d" * 64,
                size_bytes=5 << 30,
                family="",
                parameter_size="",
                quantization="",
                remote=False,
            )
            for name in present
        )
        unread = Unreadable("not asked")
        api = Api(endpoint="", version=unread, models=Known(stored, "/api/tags"), loaded=unread)
        snapshot = replace(HostSnapshot.unreadable("not asked"), api=Known(api, "curl"))
        return foresee.foresee(cast("Any", SimpleNamespace(name="gpu01")), spec, snapshot)


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bed]:
    with Registry() as registry, serving() as ollama:
        threading.Thread(target=registry.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        made = Bed(registry, ollama, tmp_path)
        base = f"http://127.0.0.1:{registry.server_address[1]}/v2/library"
        monkeypatch.setattr(engine, "place_of", lambda name: Place(f"{base}/{name.partition(':')[0]}", "latest"))
        monkeypatch.setattr(foresee, "run_script", made.run)
        monkeypatch.setattr(engine._fleet, "headers", {})
        yield made
        registry.shutdown()


def test_a_model_that_is_not_there_is_read_from_the_registry(bed: Bed) -> None:
    bed.registry.serve("m", HEADER + bytes(200_000), len(HEADER) + 4_000_000)
    found = bed.look({"m": {}})["m"]
    assert found.description
    assert found.description.name == "m"
    assert not found.description.tensors.is_estimate
    assert (found.kind, found.size_bytes) == ("gguf", len(HEADER) + 4_000_500)
    assert found.missing_bytes == found.size_bytes
    assert bed.registry.asked == [("m/manifests", ""), ("m/blobs", "bytes=0-65535")]
    assert len(bed.scripts) == 1


def test_a_header_is_fetched_once_for_the_whole_fleet(bed: Bed) -> None:
    bed.registry.serve("m", HEADER, len(HEADER))
    first, second = bed.look({"m": {}}), bed.look({"m": {}})
    assert first == second
    assert [path for path, _ in bed.registry.asked] == ["m/manifests", "m/blobs", "m/manifests"]


def test_a_longer_header_is_read_on_in_one_more_round_trip(bed: Bed) -> None:
    count = int.from_bytes(HEADER[16:24], "little") + 1
    key = (1).to_bytes(8, "little") + b"k" + (9).to_bytes(4, "little")
    key += (0).to_bytes(4, "little") + (100_000).to_bytes(8, "little") + bytes(100_000)
    data = HEADER[:16] + count.to_bytes(8, "little") + key + HEADER[24:] + bytes(5_000_000)
    bed.registry.serve("m", data, len(data))
    found = bed.look({"m": {}})["m"]
    assert found.description
    assert not found.description.tensors.is_estimate
    assert len(bed.scripts) == 2


def test_what_the_store_has_of_it_is_not_downloaded_again(bed: Bed) -> None:
    digest = bed.registry.serve("m", HEADER, 9_000_000)
    blobs = bed.store / "blobs"
    blobs.mkdir()
    with (blobs / f"sha256-{digest}-partial").open("wb") as partial:
        partial.truncate(9_000_000)  # sparse, and of full size at once
        partial.write(b"x" * 4_000_000)
    found = bed.look({"m": {}})["m"]
    assert 4_900_000 < found.missing_bytes < 5_100_000


def test_a_model_that_is_there_is_asked_of_ollama(bed: Bed) -> None:
    found = bed.look({"other": {}, "mine": {"from": "tiny", "context": 2048}}, "tiny:latest", "other:latest")
    assert bed.registry.asked == []
    assert bed.ollama.asked == [("/api/show", {"model": "other"}), ("/api/show", {"model": "tiny"})]
    assert found["mine"].kind == found["other"].kind == "gguf"


def test_every_way_a_registry_can_refuse(bed: Bed) -> None:
    bed.registry.serve("tensors", b"", 5, kind="tensor")
    bed.registry.serve("cloud", b"", 5, kind="license")
    bed.registry.serve("odd", b"PK\x03\x04" * 100, 400, name="c")
    bed.registry.manifests |= {"down": (503, "sorry"), "html": (200, "<html>")}
    models = ("tensors", "cloud", "odd", "down", "html", "unknown")
    found = bed.look({name: {} for name in models})
    assert [found[name].kind for name in models] == ["safetensors", "remote", "gguf", "unknown", "unknown", "absent"]
    assert "not a GGUF file" in found["odd"].why
    assert found["down"].why == "the registry does not answer: HTTP 503"
    assert "no manifest" in found["html"].why
    assert all(one.description is None for one in found.values())


def test_a_registry_that_is_not_there_is_asked_once(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "place_of", lambda name: Place(f"http://127.0.0.1:9/v2/library/{name}", "latest"))
    found = bed.look({"a": {}, "b": {}})
    assert "curl: (7)" in found["a"].why
    assert found["b"].why.startswith("the registry does not answer")


def test_a_host_that_breaks_off(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foresee, "run_script", lambda *_: Answer("", "the connection was closed by the host"))
    assert bed.look({"a": {}})["a"] == Foreseen(why="the connection was closed by the host")


@pytest.mark.parametrize("text", ["", "not base64!", "aGVsbG8=", "H4sIAAAA"])
def test_a_header_that_did_not_arrive_is_none(text: str) -> None:
    assert engine.unpacked(engine.Part(0, text)) == b"" or text == "H4sIAAAA"

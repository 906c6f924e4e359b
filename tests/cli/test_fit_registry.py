"""A model's header from a registry: in as few bytes as it takes, and every way it can go wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ongpu.cli._fit_registry import fetch
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.manifest import Place, place_of
from tests.fit.planner import RECORDINGS

DIGEST = "sha256:" + "a" * 64
MODEL, PROJECTOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"


class Registry(ThreadingHTTPServer):
    """Serves one manifest and one blob; `asked` = paths and ranges. `whole` ignores ranges."""

    manifest: bytes = b""
    blob: bytes = b""
    whole = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []

    def serve(self, blob: bytes, media: str = MODEL, size: int | None = None) -> None:
        self.blob = blob
        layers = [{"mediaType": media, "digest": DIGEST, "size": len(blob) if size is None else size}]
        layers.append({"mediaType": PROJECTOR, "digest": DIGEST, "size": 1000})
        self.manifest = json.dumps({"layers": layers}).encode()

    @property
    def name(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/library/llama:8b"


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.path, wanted))
        blob, status = self.server.blob, 200
        if self.path == "/v2/library/llama/manifests/8b" and self.server.manifest:
            blob = self.server.manifest
        elif self.path != f"/v2/library/llama/blobs/{DIGEST}":
            blob, status = b"{}", 404
        elif wanted and not self.server.whole:
            blob, status = blob[: int(wanted.partition("-")[2]) + 1], 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(blob)))
        self.end_headers()
        self.wfile.write(blob)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(registry: Registry) -> object:
    place = place_of(registry.name)
    assert place is not None
    return fetch(registry.name, place)


def test_names() -> None:
    default = "https://registry.ollama.ai/v2"
    assert place_of("llama3.1:8b") == Place(f"{default}/library/llama3.1", "8b")
    assert place_of("user/model") == Place(f"{default}/user/model", "latest")
    assert place_of("mirror.example:5000/user/model:q4") == Place("https://mirror.example:5000/v2/user/model", "q4")
    assert place_of("http://mirror.example/user/m") == Place("http://mirror.example/v2/user/m", "latest")
    for name in ("", "a b", "../../etc/passwd/x/y", "file:///etc/passwd", "a:b:c", "a\nb", "x" * 10 + "?"):
        assert place_of(name) is None


@pytest.mark.parametrize("whole", [False, True])
def test_the_first_bytes_are_enough(registry: Registry, whole: bool) -> None:
    registry.serve((RECORDINGS / "llama.gguf").read_bytes() + bytes(500_000))
    registry.whole = whole
    model = ask(registry)
    assert getattr(model, "projector_bytes", None) == 1000
    assert [wanted for _, wanted in registry.asked] == ["", "bytes=0-65535"]


def test_a_longer_header_takes_more(registry: Registry, tmp_path: Path) -> None:
    head = (RECORDINGS / "llama.gguf").read_bytes()
    # One more key of 100,000 bytes: an array of u8 put before the others.
    count = int.from_bytes(head[16:24], "little") + 1
    key = (1).to_bytes(8, "little") + b"k" + (9).to_bytes(4, "little")
    key += (0).to_bytes(4, "little") + (100_000).to_bytes(8, "little") + bytes(100_000)
    registry.serve(head[:16] + count.to_bytes(8, "little") + key + head[24:] + bytes(5_000_000))
    ask(registry)
    assert [wanted for _, wanted in registry.asked][1:] == ["bytes=0-65535", "bytes=0-1048575"]


def test_what_can_go_wrong_is_one_sentence(registry: Registry) -> None:
    def fails(words: str) -> None:
        with pytest.raises(InsufficientFacts, match=words) as caught:
            ask(registry)
        assert "\n" not in str(caught.value)

    fails("knows no such model")
    registry.manifest = b"<html>"
    fails("is no manifest")
    registry.manifest = json.dumps({"layers": [{"mediaType": MODEL, "digest": "../x", "size": 1}]}).encode()
    fails("is no manifest")
    registry.serve(b"x", media="application/vnd.ollama.image.tensor")
    fails("no GGUF model")
    registry.serve(b"PK\x03\x04" + bytes(100))
    fails("does not begin with GGUF")
    registry.serve((RECORDINGS / "llama.gguf").read_bytes()[:3000])
    fails("cut off")


def test_a_registry_that_is_not_there() -> None:
    place = place_of("http://127.0.0.1:9/library/m")
    assert place is not None
    with pytest.raises(InsufficientFacts, match=r"cannot be reached.*--model-info"):
        fetch("m", place)

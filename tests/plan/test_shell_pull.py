"""Pulling a model: only a stream that ends in `success` is one; errors come with HTTP 200."""

from __future__ import annotations

import json

import pytest

from ongpu.plan import shell
from ongpu.plan.types import Run
from tests.plan.bench import Bench, Said, Site

DIGEST = "a" * 64


def stream(*lines: dict[str, object]) -> bytes:
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()


MANIFEST = {"status": "pulling manifest"}
LAYER = {"status": "pulling 1234", "digest": "sha256:1234", "total": 5_000_000_000}
GOOD = stream(
    MANIFEST,
    LAYER,
    LAYER | {"completed": 1_000_000_000},
    LAYER | {"completed": 5_000_000_000},
    {"status": "verifying sha256 digest"},
    {"status": "success"},
)


def pull(url: str, digest: str = "") -> Run:
    return shell.run(
        "pull llama3.1:8b",
        "pull",
        API=url,
        MODEL="llama3.1:8b",
        BODY='{"model": "llama3.1:8b"}',
        DIGEST=digest,
        STORE="/",
        SECONDS_LIMIT="20",
    )


@pytest.fixture
def roomy(bench: Bench) -> Bench:
    free(bench, 10_000_000_000)
    return bench


def free(bench: Bench, octets: int) -> None:
    bench.fake("df", f"printf 'Filesystem 1024-blocks Used Available\\n/dev/x 1 1 {octets // 1024}\\n'")


def test_a_pull_that_ends_in_success(roomy: Bench, site: Site) -> None:
    asked: list[bytes] = []

    def answer(path: str, body: bytes) -> bytes:
        asked.append(body)
        return GOOD

    site.post = answer
    assert roomy.run(pull(site.url)) == Said(0, "")
    assert [json.loads(body) for body in asked] == [{"model": "llama3.1:8b"}]
    assert site.requests == [("POST", "/api/pull", "")]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (stream(MANIFEST, {"error": "pull model manifest: file does not exist"}), "Ollama says: pull model manifest: "),
        (stream(MANIFEST, LAYER, {"error": "max retries exceeded"}), "Ollama says: max retries exceeded"),
        (stream(MANIFEST, LAYER), "the pull ended before it was complete (curl 0): {"),
        (b"", "the pull ended before it was complete (curl 0): no answer"),
        (b"<html>proxy login</html>", "the pull ended before it was complete (curl 0): <html>"),
    ],
)
def test_everything_else_is_a_failure(roomy: Bench, site: Site, answer: bytes, says: str) -> None:
    site.post = lambda path, body: answer
    said = roomy.run(pull(site.url))
    assert said.code == 1
    assert said.reason.startswith(says)


def test_an_API_that_is_down_is_named(roomy: Bench) -> None:
    said = roomy.run(pull("http://127.0.0.1:9"))
    assert (said.code, said.reason) == (1, "the Ollama API at http://127.0.0.1:9 is down")


def test_a_model_that_does_not_fit_on_the_disk_is_given_up_at_once(bench: Bench, site: Site) -> None:
    free(bench, 4_000_000_000)
    site.post = lambda path, body: GOOD
    said = bench.run(pull(site.url))
    assert said.code == 1
    assert said.reason == "disk full: llama3.1:8b needs 4768 MiB more and / has 3814 MiB free"


def test_a_resumed_pull_needs_only_what_is_missing(bench: Bench, site: Site) -> None:
    free(bench, 1_000_000_000)
    site.post = lambda path, body: stream(LAYER | {"completed": 4_900_000_000}, {"status": "success"})
    assert bench.run(pull(site.url)) == Said(0, "")


def test_all_layers_together_must_fit(bench: Bench, site: Site) -> None:
    free(bench, 6_000_000_000)
    other = LAYER | {"digest": "sha256:5678", "total": 2_000_000_000}
    site.post = lambda path, body: stream(LAYER, LAYER | {"completed": 5_000_000_000}, other, {"status": "success"})
    said = bench.run(pull(site.url))
    assert said.code == 1
    assert said.reason.startswith("disk full: llama3.1:8b needs 1907 MiB more")


def test_the_declared_digest_is_what_must_have_come(roomy: Bench, site: Site) -> None:
    site.post = lambda path, body: GOOD
    tags = {"models": [{"name": n, "model": n, "digest": d} for n, d in (("x:8b", "c" * 64), ("llama3.1:8b", DIGEST))]}
    site.files["/api/tags"] = json.dumps(tags, separators=(",", ":")).encode()
    assert roomy.run(pull(site.url, DIGEST)) == Said(0, "")
    said = roomy.run(pull(site.url, "b" * 64))
    assert said.code == 1
    assert said.reason == f"the registry's llama3.1:8b is sha256:{DIGEST}, the inventory says sha256:{'b' * 64}"
    del site.files["/api/tags"]
    assert "is sha256:unknown" in roomy.run(pull(site.url, DIGEST)).reason

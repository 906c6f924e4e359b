"""Pulling a model: only a stream that ends in `success` is one; errors come with HTTP 200."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

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
        NAME="llama3.1:8b",
        TRIES="2",
        PAUSE="0",
        VERSION="0.32.15",
        PROGRESS=f"/tmp/ongpu-test-{os.getpid()}/pull",
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
        (stream(MANIFEST, LAYER, {"error": "max retries exceeded"}), "Ollama says: max retries exceeded (2 tries; run"),
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
    assert said.code == 1
    assert said.reason.startswith("the Ollama API at http://127.0.0.1:9 is down (2 tries")


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


# Words of Ollama 0.33.0 (recorded), and what an operator reads.
FINAL = {
    "pull model manifest: file does not exist": "the registry knows no model llama3.1:8b: check its name and its tag",
    "file does not exist": "the registry has no such file as llama3.1:8b names",
    'pull model manifest: 412: {"errors":[{"code":"X","message":"requires a newer version of Ollama"}]}': (
        "llama3.1:8b needs a newer Ollama than 0.32.15: raise ollama.release (the registry says: "
    ),
    'pull model manifest: realm host "" does not match original host "127.0.0.1:41225"': (
        "the registry does not let this host pull llama3.1:8b"
    ),
    "write /store/blobs/sha256-fe05-partial: no space left on device": (
        "disk full: / has no room for the rest of llama3.1:8b; what has come stays"
    ),
    "this model requires MLX support, but the MLX runtime is not available": "llama3.1:8b is a safetensors model",
    "http: no Location header in response": "the registry cannot serve Ollama",
}
AGAIN = {
    'pull model manifest: Get "http://r.invalid/v2/": dial tcp: lookup r.invalid: no such host': (
        "the registry cannot be reached from this host: "
    ),
    'pull model manifest: 500: {"errors": []}': "the registry is down: ",
    "digest mismatch, file must be downloaded again: want 55, got 11": "what came of llama3.1:8b was damaged",
    "max retries exceeded: unexpected EOF": "Ollama says: max retries exceeded",
}


@pytest.mark.parametrize("words", FINAL)
def test_what_no_other_try_can_change_is_said_at_once(roomy: Bench, site: Site, words: str) -> None:
    site.post = lambda path, body: stream(MANIFEST, {"error": words})
    said = roomy.run(pull(site.url))
    assert said.code == 1
    assert said.reason.startswith(FINAL[words])
    assert len(site.requests) == 1


@pytest.mark.parametrize("words", AGAIN)
def test_what_may_pass_is_tried_again_but_not_for_ever(roomy: Bench, site: Site, words: str) -> None:
    site.post = lambda path, body: stream(MANIFEST, {"error": words})
    said = roomy.run(pull(site.url))
    assert said.code == 1
    assert said.reason.startswith(AGAIN[words])
    assert said.reason.endswith("(2 tries; run again to go on from what has come)")
    assert len(site.requests) == 2


def after_one_failure(answer: bytes) -> Callable[[str, bytes], bytes]:
    answers = iter([stream(MANIFEST, LAYER, {"error": "max retries exceeded: unexpected EOF"}), answer])
    return lambda path, body: next(answers)


def test_a_second_try_that_succeeds_is_a_success(roomy: Bench, site: Site) -> None:
    site.post = after_one_failure(GOOD)
    said = roomy.run(pull(site.url))
    assert said.code == 0
    assert said.reason == "Ollama says: max retries exceeded: unexpected EOF"


def test_progress_is_one_line_in_a_file_that_goes_with_the_pull(roomy: Bench, site: Site) -> None:
    roomy.fake("mv", 'cat "$2"; exec /bin/mv "$@"')
    site.post = lambda path, body: GOOD
    said = roomy.run(pull(site.url))
    assert roomy.calls("mv")
    assert not os.path.exists(roomy.calls("mv")[0].split()[-1])
    assert said.code == 0

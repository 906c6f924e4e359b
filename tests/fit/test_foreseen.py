"""What the beginning of a header, a manifest, and /api/show tell about a model before it is loaded."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.fit import gguf, manifest
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.foreseen import of_beginning, of_show
from tests.fit.planner import RECORDINGS, model_info

LLAMA = (RECORDINGS / "llama.gguf").read_bytes()
HEX = "a" * 64
LAYER: dict[str, Any] = {
    "mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{HEX}", "size": 5_000_000_000
}  # fmt: skip
CONFIG: dict[str, Any] = {"mediaType": "x", "digest": "sha256:" + "b" * 64, "size": 500}


def test_a_whole_header_is_exact() -> None:
    found, more = of_beginning("llama", LLAMA, len(LLAMA))
    assert found
    assert not found.tensors.is_estimate
    assert more == 0


def test_a_beginning_tells_the_facts_and_how_much_more_there_is() -> None:
    cut = LLAMA[: LLAMA.index(b"tokenizer.ggml.scores")]
    whole = of_beginning("llama", LLAMA, len(LLAMA))[0]
    found, more = of_beginning("llama", cut, 4_000_000)
    assert found
    assert whole
    assert found.facts == whole.facts
    assert found.tensors.is_estimate
    assert len(cut) < more <= 4_000_000


def test_the_vocabulary_is_counted_where_its_texts_are_cut_off() -> None:
    at = LLAMA.index(b"tokenizer.ggml.tokens") + 100
    assert gguf.beginning(LLAMA[:at]).tokens == gguf.parse(LLAMA).tokens == 300


def test_too_little_of_a_header_is_no_description() -> None:
    assert of_beginning("llama", LLAMA[:100], 4_000_000)[0] is None
    with pytest.raises(InsufficientFacts, match="not a GGUF file"):
        of_beginning("llama", b"PK\x03\x04" * 50, 1000)


@given(length=st.integers(0, len(LLAMA)), noise=st.binary(max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_beginning_of_any_length_is_read_or_refused(length: int, noise: bytes) -> None:
    with suppress(InsufficientFacts):
        of_beginning("x", LLAMA[:length] + noise, 1_000_000)


def text(*layers: dict[str, Any], config: bool = True) -> str:
    return json.dumps({"schemaVersion": 2, **({"config": CONFIG} if config else {}), "layers": list(layers)})


def test_a_manifest() -> None:
    found = manifest.parse(text(LAYER, LAYER | {"mediaType": "application/vnd.ollama.image.projector", "size": 7}))
    assert (found.kind, found.size_bytes) == ("gguf", 5_000_000_507)
    assert [layer.size_bytes for layer in found.of("projector")] == [7]


@pytest.mark.parametrize("spelling", ["as it is", "newline", "compact"])
def test_its_digest_is_that_of_the_file_that_ollama_stores(spelling: str) -> None:
    body = text(LAYER)
    stored = {
        "as it is": body,
        "newline": body + "\n",
        "compact": json.dumps(json.loads(body), separators=(",", ":")),
    }[spelling]
    assert hashlib.sha256(stored.encode()).hexdigest() in manifest.parse(body).digests


def test_kinds_of_models() -> None:
    tensor = LAYER | {"mediaType": "application/vnd.ollama.image.tensor"}
    licence = LAYER | {"mediaType": "application/vnd.ollama.image.license"}
    assert manifest.parse(text(tensor)).kind == "safetensors"
    assert manifest.parse(text(licence)).kind == "remote"
    assert manifest.parse(text(tensor, LAYER)).kind == "gguf"


@given(
    st.one_of(st.text(max_size=80), st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists).map(str))
)
@settings(max_examples=60, deadline=None)
def test_no_other_text_is_a_manifest(body: str) -> None:
    with pytest.raises(InsufficientFacts, match="no manifest"):
        manifest.parse(body)


def test_what_the_store_has_is_sized_by_its_tensors() -> None:
    found = of_show("llama3.1:8b", model_info("llama3.1-8b.Q4_K_M") | {"parameters": 'stop  "x"\nnum_ctx   2048'}, 5)
    assert found.description
    assert not found.description.tensors.is_estimate
    assert (found.kind, found.num_ctx) == ("gguf", 2048)


def test_a_projector_is_what_is_left_of_the_files() -> None:
    body = model_info("llama3.1-8b.Q4_K_M")
    weights = of_show("m", body, 0).description
    assert weights
    seen = of_show("m", body | {"projector_info": {}}, weights.tensors.file_bytes + 600_000_000).description
    assert seen
    assert (weights.projector_bytes, seen.projector_bytes) == (0, 600_000_000)


def test_a_cloud_model_and_one_that_says_too_little() -> None:
    assert of_show("m", {"remote_host": "https://ollama.com"}, 0).kind == "remote"
    assert "model_info" in of_show("m", {"license": "MIT"}, 0).why

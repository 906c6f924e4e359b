"""GGUF headers: as the gguf package writes and reads them; cut off, damaged, hostile."""

from __future__ import annotations

import json
import struct
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.errors import Exit
from ongpu.fit.description import of_header
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.gguf import CutOff, parse
from tests.fit.planner import RECORDINGS

HEADERS: dict[str, Any] = json.loads((RECORDINGS / "headers.json").read_text(encoding="utf-8"))["files"]
LLAMA = (RECORDINGS / "llama.gguf").read_bytes()


@pytest.mark.parametrize("name", HEADERS)
def test_agrees_with_the_package(name: str) -> None:
    header, expected = parse((RECORDINGS / name).read_bytes()), HEADERS[name]
    for key, value in expected["keys"].items():
        if key == "tokenizer.ggml.tokens":
            assert header.tokens == value
        else:
            assert header.info[key] == pytest.approx(value) if isinstance(value, float) else header.info[key] == value
    found = [(tensor.name, tensor.kind, tensor.size_bytes, tensor.row) for tensor in header.tensors]
    assert found == [(t["name"], t["type"], t["bytes"], t["shape"][0]) for t in expected["tensors"]]


@pytest.mark.parametrize("name", HEADERS)
def test_every_header_can_be_sized(name: str) -> None:
    model = of_header(name, parse((RECORDINGS / name).read_bytes()))
    assert model.tensors.file_bytes == sum(tensor["bytes"] for tensor in HEADERS[name]["tensors"])
    assert model.facts.vocabulary == 300
    assert model.facts.is_known


def test_tied_embeddings_are_on_the_device_too() -> None:
    assert of_header("g", parse((RECORDINGS / "gemma3.gguf").read_bytes())).tensors.tied
    assert not of_header("l", parse(LLAMA)).tensors.tied


@pytest.mark.parametrize("length", [0, 3, 4, 10, 23, 24, 100, 1000, len(LLAMA) - 40])
def test_cut_off(length: int) -> None:
    with pytest.raises(CutOff, match=r"^the GGUF header is cut off after \d+ bytes; more of the file is needed$"):
        parse(LLAMA[:length])


def head(tensors: int, keys: int, rest: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + rest


HOSTILE = {
    "not gguf": (b"PK\x03\x04" + bytes(100), "does not begin with GGUF"),
    "old version": (head(0, 0, version=1), "version 1 is not supported"),
    "tensors": (head(2**60, 0), "claims"),
    "keys": (head(0, 2**63), "claims"),
    "key length": (head(0, 1, struct.pack("<Q", 2**62) + bytes(20)), "claims"),
    "array": (head(0, 1, struct.pack("<Q1sIIQ", 1, b"a", 9, 4, 2**61)), "claims"),
    "texts": (head(0, 1, struct.pack("<Q1sIIQ", 1, b"a", 9, 8, 2**61)), "claims"),
    "nested array": (head(0, 1, struct.pack("<Q1sIIQ", 1, b"a", 9, 9, 1) + bytes(20)), "cannot be read"),
    "type": (head(0, 1, struct.pack("<Q1sI", 1, b"a", 99)), "unknown type 99"),
    "dimensions": (head(1, 0, struct.pack("<Q1sI", 1, b"t", 999) + bytes(40)), "999 dimensions"),
    "row": (head(1, 0, struct.pack("<Q1sIQIQ", 1, b"t", 1, 2**61, 0, 0)), "damaged"),
    "tensor type": (head(1, 0, struct.pack("<Q1sIQIQ", 1, b"t", 1, 32, 77, 0)), "unknown type"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused_in_one_sentence(name: str) -> None:
    data, words = HOSTILE[name]
    tracemalloc.start()
    try:
        with pytest.raises(InsufficientFacts, match=words) as caught:
            parse(data)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == Exit.UNKNOWN


def test_large_arrays_are_counted_and_not_kept() -> None:
    count = 30_000
    body = struct.pack("<Q1sIIQ", 1, b"a", 9, 4, count) + bytes(4 * count)
    assert parse(head(0, 1, body)).info == {}


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    for body in (data, b"GGUF\x03\x00\x00\x00" + data):
        with suppress(InsufficientFacts):
            parse(body)


@settings(max_examples=150, deadline=2000)
@given(st.integers(0, len(LLAMA) - 1), st.integers(0, 255))
def test_any_flipped_byte(place: int, value: int) -> None:
    data = LLAMA[:place] + bytes([value]) + LLAMA[place + 1 :]
    with suppress(InsufficientFacts):
        of_header("model", parse(data))

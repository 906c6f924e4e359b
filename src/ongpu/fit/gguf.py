"""The header of a GGUF file: key-values and tensor table (format: ggml/docs/gguf.md, versions 2 and 3).

Own code, because the `gguf` package needs numpy, maps the whole file and trusts every count in it. Here every count is
checked against the bytes that are there before anything is made of it, so that memory is bounded by the header.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.quant import NAMES
from ongpu.fit.tensors import Tensor

MOST_BYTES = 256 * 1024 * 1024  # no header comes near
_MOST_KEPT = 20_000  # entries of an array that are kept; more are counted only
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST_DIMENSIONS = 4
_TOKENS = "tokenizer.ggml.tokens"


class NotGguf(InsufficientFacts):
    """The bytes are no GGUF header, or not one that can be read."""


class CutOff(NotGguf):
    """The header goes on after the bytes that are there."""


@dataclass(frozen=True, slots=True)
class Header:
    """`info` as Ollama's model_info: arrays of text or of over 20,000 entries are left out. `tensors` in file order.

    `tokens` = entries of tokenizer.ggml.tokens, 0 without.
    """

    info: dict[str, object]
    tensors: tuple[Tensor, ...]
    tokens: int
    embedding_rows: int


class _Reader:
    """A position in bytes. Raises CutOff before it reads past the end."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data, self.at = memoryview(data)[:MOST_BYTES], 0
        self.order = "<"
        self.counted = 0  # entries of the last array, known before they are read

    def take(self, count: int) -> memoryview:
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise CutOff(f"the GGUF header is cut off after {len(self.data)} bytes; more of the file is needed")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def number(self, code: str) -> int:
        value = struct.unpack(self.order + code, self.take(struct.calcsize(self.order + code)))[0]
        return int(value)

    def fits(self, count: int, size: int) -> None:
        """A count of things of at least `size` bytes each must be possible."""
        if count * size > MOST_BYTES:
            raise NotGguf(f"the GGUF header claims {count} entries in one place; the file is damaged")
        if count * size > len(self.data) - self.at:
            raise CutOff(f"the GGUF header is cut off after {len(self.data)} bytes; more of the file is needed")

    def text(self) -> str:
        length = self.number("Q")
        self.fits(length, 1)
        return bytes(self.take(length)).decode("utf-8", "replace")

    def skip_text(self) -> None:
        length = self.number("Q")
        self.fits(length, 1)
        self.take(length)


def parse(data: bytes | memoryview) -> Header:
    """Reads a header. Raises NotGguf with one sentence; CutOff if more bytes are needed."""
    header, cut = _read(data)
    if cut:
        raise cut
    return header


def beginning(data: bytes | memoryview) -> Header:
    """What the first bytes of a header say: its key-values as far as they go, mostly no tensors. Raises NotGguf."""
    return _read(data)[0]


def _read(data: bytes | memoryview) -> tuple[Header, CutOff | None]:
    """The header as far as it goes, and why it does not go on."""
    reader = _Reader(data)
    if bytes(reader.take(4)) != b"GGUF":
        raise NotGguf("this is not a GGUF file (it does not begin with GGUF)")
    version = reader.number("I")
    if version not in (2, 3) and int.from_bytes(version.to_bytes(4, "little"), "big") in (2, 3):
        reader.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in (2, 3):
        raise NotGguf(f"GGUF version {version} is not supported (2 and 3 are)")
    tensors, keys = reader.number("Q"), reader.number("Q")
    info: dict[str, object] = {}
    table: list[Tensor] = []
    rows, key, counts = 0, "", dict[str, int]()
    try:
        reader.fits(keys, 13)
        for _ in range(keys):
            key, reader.counted = reader.text(), 0
            value, counts[key] = _value(reader, reader.number("I"))
            if value is not None:
                info[key] = value
        reader.fits(tensors, 24)
        for _ in range(tensors):
            tensor, shape = _tensor(reader)
            table.append(tensor)
            if tensor.name == "token_embd.weight" and len(shape) > 1:
                rows = shape[1]
    except CutOff as cut:
        counts.setdefault(key, reader.counted)
        return Header(info, tuple(table), counts.get(_TOKENS, 0), rows), cut
    return Header(info, tuple(table), counts.get(_TOKENS, 0), rows), None


def _value(reader: _Reader, kind: int) -> tuple[object, int]:
    """(value or None if it is not kept, entries)."""
    if kind == _STRING:
        return reader.text(), 1
    if kind == _ARRAY:
        return _array(reader)
    if kind not in _SCALARS:
        raise NotGguf(f"the GGUF header has a value of the unknown type {kind}; the file is damaged or newer")
    code = reader.order + _SCALARS[kind]
    value: object = struct.unpack(code, reader.take(struct.calcsize(code)))[0]
    return value, 1


def _array(reader: _Reader) -> tuple[object, int]:
    kind, count = reader.number("I"), reader.number("Q")
    reader.counted = count
    if kind == _STRING:
        reader.fits(count, 8)
        step: Callable[[], None] = reader.skip_text
        for _ in range(count):
            step()
        return None, count
    if kind not in _SCALARS:
        raise NotGguf(f"the GGUF header has an array of the type {kind}, which cannot be read")
    size = struct.calcsize(reader.order + _SCALARS[kind])
    reader.fits(count, size)
    piece = reader.take(count * size)
    if count > _MOST_KEPT:
        return None, count
    return list(struct.unpack(f"{reader.order}{count}{_SCALARS[kind]}", piece)), count


def _tensor(reader: _Reader) -> tuple[Tensor, tuple[int, ...]]:
    name = reader.text()
    dimensions = reader.number("I")
    if not 0 < dimensions <= _MOST_DIMENSIONS:
        raise NotGguf(f"tensor {name[:60]!r} has {dimensions} dimensions; the file is damaged")
    shape = tuple(reader.number("Q") for _ in range(dimensions))
    kind = reader.number("I")
    reader.take(8)
    if any(extent > 2**40 for extent in shape):
        raise NotGguf(f"tensor {name[:60]!r} claims {max(shape)} values in a row; the file is damaged")
    return Tensor.shaped(name, NAMES.get(kind, f"type {kind}"), shape), shape

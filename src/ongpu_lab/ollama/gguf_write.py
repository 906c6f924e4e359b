"""Writing GGUF headers: keys and tensor table, no tensor data."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .standin.gguf import LAB_SIZE, TENSOR_TYPES

_KINDS = {name: kind for kind, (name, _, _) in TENSOR_TYPES.items()}
_ALIGNMENT = 32


@dataclass(frozen=True)
class TensorSpec:
    """A tensor of a model: GGUF's order of extents (the row first), and the name of its type (`Q4_K`)."""

    name: str
    shape: tuple[int, ...]
    type: str

    @property
    def bytes(self) -> int:
        _, block, size = TENSOR_TYPES[_KINDS[self.type]]
        count = 1
        for extent in self.shape:
            count *= extent
        return count // block * size


def header(keys: Mapping[str, Any], tensors: Sequence[TensorSpec], tokenizer_bytes: int = 0) -> bytes:
    """A header whose key `ongpu_lab.file_size` says how large the whole file would be.

    `tokenizer_bytes` is what the real file's vocabulary takes in its header, which this one leaves out.
    """
    table, offset = b"", 0
    for tensor in tensors:
        extents = struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape)
        table += _string(tensor.name) + struct.pack("<I", len(tensor.shape)) + extents
        table += struct.pack("<IQ", _KINDS[tensor.type], offset)
        offset += -(-tensor.bytes // _ALIGNMENT) * _ALIGNMENT
    pairs = b"".join(_string(key) + _value(value) for key, value in keys.items())
    size_pair = len(_string(LAB_SIZE)) + 12
    head = 24 + len(pairs) + size_pair + len(table) + tokenizer_bytes
    pairs += _string(LAB_SIZE) + struct.pack("<IQ", 10, -(-head // _ALIGNMENT) * _ALIGNMENT + offset)
    return b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys) + 1) + pairs + table


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _string(value)
        case list() if value and isinstance(value[0], str):
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_string, value))
        case list():
            return struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)
        case _:
            raise TypeError(f"no GGUF type for {value!r}")

"""Reading the header of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3).

Blobs of the lab's registry are headers without tensor data; their key `ongpu_lab.file_size` says how large the file of
the real model is. Whoever reports or loads a model takes that size.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

LAB_SIZE = "ongpu_lab.file_size"

# type number: (name, values in a block, bytes of a block)
TENSOR_TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    8: ("Q8_0", 32, 34),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    30: ("BF16", 1, 2),
    39: ("MXFP4", 32, 17),
}
FILE_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 7: "Q8_0", 15: "Q4_K_M", 18: "Q6_K", 32: "BF16", 38: "MXFP4"}

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
TYPE_NAMES = {
    0: "u8",
    1: "i8",
    2: "u16",
    3: "i16",
    4: "u32",
    5: "i32",
    6: "f32",
    7: "bool",
    8: "str",
    9: "arr",
    10: "u64",
    11: "i64",
    12: "f64",
}


class NotGguf(Exception):
    """The file is no GGUF file, or cut off."""


@dataclass(frozen=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def type_name(self) -> str:
        return TENSOR_TYPES[self.kind][0]

    @property
    def bytes(self) -> int:
        _, block, size = TENSOR_TYPES[self.kind]
        count = 1
        for extent in self.shape:
            count *= extent
        return count // block * size

    @property
    def elements(self) -> int:
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @property
    def layer(self) -> int | None:
        """N of `blk.N.…`, None for a global tensor."""
        parts = self.name.split(".")
        return int(parts[1]) if parts[0] == "blk" else None


@dataclass(frozen=True)
class Model:
    path: Path
    keys: dict[str, Any]
    types: dict[str, str]
    tensors: tuple[Tensor, ...]

    @property
    def arch(self) -> str:
        return str(self.keys.get("general.architecture", "unknown"))

    @property
    def file_size(self) -> int:
        """Bytes of the model's file: the declared ones of a lab blob, else those on disk."""
        return int(self.keys.get(LAB_SIZE) or self.path.stat().st_size)

    @property
    def parameters(self) -> int:
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def quantization(self) -> str:
        return FILE_TYPES.get(int(self.keys.get("general.file_type", 0)), "unknown")

    def get(self, key: str, default: Any = None) -> Any:
        """A key of the model's architecture."""
        return self.keys.get(f"{self.arch}.{key}", default)


def read(path: Path) -> Model:
    """Raises NotGguf or OSError."""
    try:
        with path.open("rb") as file:
            return _read(path, file)
    except (struct.error, ValueError, LookupError, OverflowError, MemoryError) as error:
        raise NotGguf(f"{path}: {error}") from error


def _read(path: Path, file: BinaryIO) -> Model:
    if file.read(4) != b"GGUF":
        raise NotGguf(f"{path}: no GGUF magic")
    _, tensor_count, key_count = _unpack(file, "IQQ")
    keys: dict[str, Any] = {}
    types: dict[str, str] = {}
    for _ in range(key_count):
        name = _string(file)
        (kind,) = _unpack(file, "I")
        keys[name], types[name] = _value(file, kind)
    tensors = []
    for _ in range(tensor_count):
        name = _string(file)
        (dimensions,) = _unpack(file, "I")
        shape = _unpack(file, f"{dimensions}Q")
        kind, offset = _unpack(file, "IQ")
        tensor = Tensor(name, shape, kind, offset)
        if kind not in TENSOR_TYPES:
            raise NotGguf(f"{path}: tensor {name} has the unknown type {kind}")
        tensor.layer  # noqa: B018 - ValueError for a name that looks like a layer and has no number
        tensors.append(tensor)
    return Model(path, keys, types, tuple(tensors))


def _unpack(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack("<" + layout, file.read(struct.calcsize("<" + layout)))


def _string(file: BinaryIO) -> str:
    (length,) = _unpack(file, "Q")
    return file.read(length).decode()


def _value(file: BinaryIO, kind: int) -> tuple[Any, str]:
    if kind == _STRING:
        return _string(file), "str"
    if kind != _ARRAY:
        return _unpack(file, _SCALARS[kind])[0], TYPE_NAMES[kind]
    item, count = _unpack(file, "IQ")
    if item == _STRING:
        return [_string(file) for _ in range(count)], f"arr[str,{count}]"
    return list(_unpack(file, f"{count}{_SCALARS[item]}")), f"arr[{TYPE_NAMES[item]},{count}]"

"""Sizes of ggml's tensor types (ggml/src/ggml-common.h: the block structures)."""

from __future__ import annotations

# type number of GGUF: (name, values in a block, bytes of a block)
_TABLE = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
}
BLOCKS = {name: (values, size) for name, values, size in _TABLE.values()}
NAMES = {number: name for number, (name, _, _) in _TABLE.items()}

# What a KV cache may be made of (common/arg.cpp: kv_cache_types).
CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")


def row_bytes(kind: str, values: int) -> int:
    """Bytes of `values` values of a type, rounded up to whole blocks. Raises KeyError for an unknown type."""
    block, size = BLOCKS[kind.upper()]
    return -(-values // block) * size


def is_quantised(kind: str) -> bool:
    return BLOCKS[kind.upper()][0] > 1


def tensor_bytes(kind: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor: rows of whole blocks. Raises KeyError for an unknown type."""
    rows = 1
    for extent in shape[1:]:
        rows *= extent
    return rows * row_bytes(kind, shape[0] if shape else 1)


def row_padding(kind: str, row: int) -> int:
    """CUDA pads a quantised matrix whose rows are no multiple of 512 values (ggml-cuda: get_alloc_size)."""
    if not is_quantised(kind) or row % 512 == 0:
        return 0
    block, size = BLOCKS[kind.upper()]
    return (512 - row % 512) * size // block

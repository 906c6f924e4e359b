"""A model's tensors, added up by layer: what moves to a GPU together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ongpu.fit.facts import Facts, InsufficientFacts
from ongpu.fit.quant import BLOCKS, row_padding, tensor_bytes

_LAYER = re.compile(r"(?:blk|enc|dec)\.(\d+)\.(.*)")
# The pattern of llama.cpp's fit (common/fit.cpp); `experts` is the name of a whole group.
_EXPERT = re.compile(r"(?:ffn_)?(up|down|gate|gate_up)_(?:ch)?exps\b|(?:ffn_)?(?:experts|exps)\b")
_HOST = ("token_embd.", "position_embd.", "token_types.", "token_embd_norm.", "per_layer_token_embd.")
# The vision or audio part, where it is in the same file; it is loaded as a projector.
PROJECTOR = ("v.", "mm.", "a.")
# Groups of tensors under one name, as in summaries: `blk.3.attn`, `blk.3.ffn`, `blk.3.experts`.
_GROUPS = ("attn", "ffn", "experts")


@dataclass(frozen=True, slots=True)
class Tensor:
    """`size_bytes` without padding; `row` = values in a row, 0 if unknown."""

    name: str
    size_bytes: int
    kind: str = ""
    row: int = 0

    @classmethod
    def shaped(cls, name: str, kind: str, shape: tuple[int, ...]) -> Tensor:
        """Raises InsufficientFacts for a type that is not known."""
        try:
            size = tensor_bytes(kind, shape)
        except KeyError:
            raise InsufficientFacts(
                f"tensor {name[:60]} has the unknown type {kind[:20]!r}; a newer ongpu is needed"
            ) from None
        return cls(name, size, kind.upper(), shape[0] if shape else 0)

    @property
    def device_bytes(self) -> int:
        """Bytes in a CUDA buffer: padded rows, and an alignment of 128."""
        padding = row_padding(self.kind, self.row) if self.kind and self.row else 0
        return -(-(self.size_bytes + padding) // 128) * 128


@dataclass(slots=True)
class Layer:
    """Bytes of one layer. `parts` are the expert matrices by kind (up, gate, down), `largest` single matrices."""

    dense: int = 0
    feed: int = 0  # the dense feed-forward matrices, a part of `dense`
    experts: dict[str, int] = field(default_factory=dict)
    matrices: dict[str, int] = field(default_factory=dict)
    host_dense: int = 0
    host_experts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.dense + sum(self.experts.values())


@dataclass(frozen=True, slots=True)
class Tensors:
    """All tensors of a model, added up. Bytes on a device; `*_host` the bytes on the host, without padding.

    `embedding` always stays on the host; `tied` = it is the output too, and is then on the device as well.
    `rope` = frequency factors, once wherever layers are. `is_estimate` = made without a tensor table.
    """

    layers: tuple[Layer, ...]
    embedding: int
    embedding_device: int
    always_host: int
    output: int
    output_host: int
    rope: int
    tied: bool
    is_estimate: bool = False

    @property
    def file_bytes(self) -> int:
        layers = sum(layer.host_dense + sum(layer.host_experts.values()) for layer in self.layers)
        return layers + self.embedding + self.always_host + self.output_host + self.rope


def add_up(tensors: Iterable[Tensor], facts: Facts) -> Tensors:
    """Adds tensors up. Raises InsufficientFacts if there is no embedding or a layer is missing."""
    layers = [Layer() for _ in range(facts.layers)]
    embedding = embedding_device = host = output = output_host = rope = 0
    has_output = False
    for tensor in tensors:
        inside = _LAYER.match(tensor.name)
        if inside:
            number = int(inside[1][:9])
            if number < facts.layers:
                _into(layers[number], tensor, inside[2], facts)
        elif tensor.name in ("token_embd", "token_embd.weight"):
            embedding, embedding_device = tensor.size_bytes, tensor.device_bytes
        elif tensor.name.startswith(_HOST):
            host += tensor.size_bytes
        elif tensor.name.startswith(PROJECTOR):
            continue
        elif tensor.name.startswith("rope_"):
            rope += tensor.size_bytes
        else:
            has_output = has_output or (tensor.name in ("output", "output.weight") and tensor.size_bytes > 0)
            output += tensor.device_bytes
            output_host += tensor.size_bytes
    if not embedding:
        raise InsufficientFacts("the tensor table has no token_embd.weight; is the header cut off?")
    empty = [i for i, layer in enumerate(layers) if not layer.total]
    if empty:
        raise InsufficientFacts(f"the tensor table has nothing for layer {empty[0]}; is the header cut off?")
    tied = not has_output and not facts.arch.encoder
    return Tensors(tuple(layers), embedding, embedding_device, host, output, output_host, rope, tied)


def _into(layer: Layer, tensor: Tensor, name: str, facts: Facts) -> None:
    expert = _EXPERT.match(name)
    size = tensor.device_bytes
    if expert:
        for part, share in _split(expert[1], size, facts):
            layer.experts[part] = layer.experts.get(part, 0) + share
        for part, share in _split(expert[1], tensor.size_bytes, facts):
            layer.host_experts[part] = layer.host_experts.get(part, 0) + share
    else:
        layer.dense += size
        layer.host_dense += tensor.size_bytes
        if name.startswith("ffn"):
            layer.feed += size
        for part, share in _matrices(name, tensor.size_bytes, facts):
            layer.matrices[part] = max(layer.matrices.get(part, 0), share)


def _split(part: str | None, size: int, facts: Facts) -> list[tuple[str, int]]:
    """A whole group `experts` as its three matrices."""
    if part is not None:
        return [(part, size)]
    return three(size, facts.experts * facts.expert_ff * facts.n)


def three(size: int, elements: int) -> list[tuple[str, int]]:
    """Bytes of gate, up and down of `elements` values each, out of their sum.

    Quantisation gives gate and up one type and down the same or a better one; where no pair of types gives the sum
    within 1 %, equal parts.
    """
    if elements > 0:
        for block, width in BLOCKS.values():
            other = elements * width // block
            down = size - 2 * other
            for down_block, down_width in BLOCKS.values():
                expected = elements * down_width // down_block
                if expected >= other and abs(down - expected) <= size // 100:
                    return [("gate", other), ("up", other), ("down", down)]
    return [("gate", size // 3), ("up", size // 3), ("down", size - 2 * (size // 3))]


def _matrices(name: str, size: int, facts: Facts) -> list[tuple[str, int]]:
    name = name.removesuffix(".weight")
    if name in _GROUPS:
        if name == "attn":
            return [("attn", size // 2)]
        ff = max(facts.ff, default=0)
        return three(size, ff * facts.n) if facts.arch.feed != "plain" else [("up", size // 2), ("down", size // 2)]
    if name.startswith("ffn_down"):
        return [("down", size)]
    if name.startswith("ffn_gate"):
        return [("gate", size)]
    return [("up" if name.startswith("ffn") else "attn", size)]

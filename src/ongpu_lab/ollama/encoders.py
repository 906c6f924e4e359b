"""Encoders of the lab's registry: embedding models, and the projector that shows images to a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .decoders import FILE_TYPES
from .gguf_write import TensorSpec, header


@dataclass(frozen=True)
class Encoder:
    """A BERT. nomic's turns positions into angles and has a gate; the older kind has a table of positions."""

    arch: str
    title: str
    layers: int
    width: int
    heads: int
    feed: int
    context: int
    pooling: int
    vocabulary: int = 30522
    tokenizer_bytes: int = 700_000

    @property
    def gated(self) -> bool:
        return self.arch == "nomic-bert"


NOMIC = Encoder("nomic-bert", "nomic-embed-text-v1.5", 12, 768, 12, 3072, 2048, pooling=1)
MXBAI = Encoder("bert", "mxbai-embed-large-v1", 24, 1024, 16, 4096, 512, pooling=2)


def encoder_header(e: Encoder) -> bytes:
    """The GGUF header of an embedding model in F16."""
    keys: dict[str, Any] = {
        "general.architecture": e.arch,
        "general.name": e.title,
        "general.file_type": FILE_TYPES["F16"],
        f"{e.arch}.block_count": e.layers,
        f"{e.arch}.context_length": e.context,
        f"{e.arch}.embedding_length": e.width,
        f"{e.arch}.feed_forward_length": e.feed,
        f"{e.arch}.attention.head_count": e.heads,
        f"{e.arch}.attention.causal": False,
        f"{e.arch}.pooling_type": e.pooling,
        f"{e.arch}.vocab_size": e.vocabulary,
        "tokenizer.ggml.model": "bert",
    }
    return header(keys, list(_tensors(e)), e.tokenizer_bytes)


def _tensors(e: Encoder) -> Iterator[TensorSpec]:
    yield TensorSpec("token_embd.weight", (e.width, e.vocabulary), "F16")
    yield TensorSpec("token_types.weight", (e.width, 2), "F32")
    if not e.gated:
        yield TensorSpec("position_embd.weight", (e.width, e.context), "F32")
    yield from _pair("token_embd_norm", e.width)
    for i in range(e.layers):
        for name, shape in _matrices(e).items():
            yield TensorSpec(f"blk.{i}.{name}.weight", shape, "F16")
            if not e.gated:
                yield TensorSpec(f"blk.{i}.{name}.bias", shape[1:], "F32")
        for name in ("attn_output_norm", "layer_output_norm"):
            yield from _pair(f"blk.{i}.{name}", e.width)


def _matrices(e: Encoder) -> dict[str, tuple[int, ...]]:
    square, up, down = (e.width, e.width), (e.width, e.feed), (e.feed, e.width)
    if e.gated:
        qkv = (e.width, 3 * e.width)
        return {"attn_qkv": qkv, "attn_output": square, "ffn_up": up, "ffn_gate": up, "ffn_down": down}
    return {"attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square, "ffn_up": up, "ffn_down": down}


def _pair(name: str, width: int) -> Iterator[TensorSpec]:
    for part in ("weight", "bias"):
        yield TensorSpec(f"{name}.{part}", (width,), "F32")


def clip_header(target: int) -> bytes:
    """CLIP ViT-L/14 for 336 pixels without its last layer, and two matrices that lead to a decoder `target` wide."""
    layers, width, feed, heads, patch, positions = 23, 1024, 4096, 16, 14, 577
    keys: dict[str, Any] = {
        "general.architecture": "clip",
        "general.name": "vit-large336-custom",
        "general.file_type": FILE_TYPES["F16"],
        "clip.has_text_encoder": False,
        "clip.has_vision_encoder": True,
        "clip.has_llava_projector": True,
        "clip.projector_type": "mlp",
        "clip.use_gelu": False,
        "clip.vision.block_count": layers,
        "clip.vision.embedding_length": width,
        "clip.vision.feed_forward_length": feed,
        "clip.vision.attention.head_count": heads,
        "clip.vision.image_size": 336,
        "clip.vision.patch_size": patch,
        "clip.vision.projection_dim": 768,
    }
    tensors = [
        TensorSpec("model.image_newline", (target,), "F32"),
        TensorSpec("v.class_embd", (width,), "F32"),
        TensorSpec("v.patch_embd.weight", (patch, patch, 3, width), "F16"),
        TensorSpec("v.position_embd.weight", (width, positions), "F16"),
        *_pair("v.pre_ln", width),
    ]
    for i in range(layers):
        for name in ("attn_k", "attn_q", "attn_v", "attn_out"):
            tensors += _linear(f"v.blk.{i}.{name}", width, width)
        tensors += [*_linear(f"v.blk.{i}.ffn_down", width, feed), *_linear(f"v.blk.{i}.ffn_up", feed, width)]
        tensors += [*_pair(f"v.blk.{i}.ln1", width), *_pair(f"v.blk.{i}.ln2", width)]
    tensors += [*_linear("mm.0", width, target), *_linear("mm.2", target, target)]
    return header(keys, tensors)


def _linear(name: str, inputs: int, outputs: int) -> Iterator[TensorSpec]:
    yield TensorSpec(f"{name}.weight", (inputs, outputs), "F16")
    yield TensorSpec(f"{name}.bias", (outputs,), "F32")

"""Decoders of the lab's registry: tensors and metadata, from which every size follows.

Shapes and hyper-parameters are those of the models' published configurations (config.json of Llama 3, Mistral, Qwen 3,
gpt-oss); the quantisation mixes are the ones that llama-quantize makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .gguf_write import TensorSpec, header

FILE_TYPES = {"F16": 1, "Q4_0": 2, "Q8_0": 7, "Q4_K_M": 15, "MXFP4": 38}
_LLAMA_70B_LAYERS = 80


@dataclass(frozen=True)
class Shape:
    """What decides the sizes of a decoder. `expert_feed` is 0 for a dense model."""

    arch: str
    title: str
    layers: int
    width: int
    heads: int
    heads_kv: int
    head_size: int
    feed: int
    vocabulary: int
    context: int
    tied: bool = False
    quant: str = "Q4_K_M"
    base: float = 500000.0
    experts: int = 0
    experts_used: int = 0
    expert_feed: int = 0
    window: int = 0
    rope_factors: bool = False  # Llama 3.1 and later carry a tensor with them
    tokenizer_bytes: int = 7_820_000


@dataclass(frozen=True)
class _Mix:
    """Types of a quantisation: most matrices, the ones with more bits, the values of attention, the output."""

    plain: str
    strong: str
    values: str
    output: str

    @classmethod
    def of(cls, shape: Shape) -> _Mix:
        if shape.quant in ("F16", "Q8_0"):
            return cls(*[shape.quant] * 4)
        if shape.quant == "Q4_0":
            return cls("Q4_0", "Q4_0", "Q4_0", "Q6_K")
        # Eight query heads share one value head in the 70B models: llama-quantize gives that matrix five bits.
        values = "Q5_K" if shape.arch == "llama" and shape.layers == _LLAMA_70B_LAYERS else "Q4_K"
        return cls("Q4_K", "Q6_K", values, "Q6_K")


def _more_bits(layer: int, layers: int) -> bool:
    """llama-quantize gives some layers of Q4_K_M six bits."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _decoder(s: Shape) -> Iterator[TensorSpec]:
    mix = _Mix.of(s)
    query, key = s.heads * s.head_size, s.heads_kv * s.head_size
    if s.rope_factors:
        yield TensorSpec("rope_freqs.weight", (s.head_size // 2,), "F32")
    yield TensorSpec("token_embd.weight", (s.width, s.vocabulary), mix.output if s.tied else mix.plain)
    for i in range(s.layers):
        strong = _more_bits(i, s.layers)
        yield TensorSpec(f"blk.{i}.attn_norm.weight", (s.width,), "F32")
        yield from _feed_forward(s, i, mix.plain, mix.strong if strong else mix.plain)
        yield TensorSpec(f"blk.{i}.ffn_norm.weight", (s.width,), "F32")
        yield TensorSpec(f"blk.{i}.attn_k.weight", (s.width, key), mix.plain)
        yield TensorSpec(f"blk.{i}.attn_output.weight", (query, s.width), mix.plain)
        yield TensorSpec(f"blk.{i}.attn_q.weight", (s.width, query), mix.plain)
        yield TensorSpec(f"blk.{i}.attn_v.weight", (s.width, key), mix.strong if strong else mix.values)
        if s.arch.startswith("qwen3"):
            yield TensorSpec(f"blk.{i}.attn_q_norm.weight", (s.head_size,), "F32")
            yield TensorSpec(f"blk.{i}.attn_k_norm.weight", (s.head_size,), "F32")
    yield TensorSpec("output_norm.weight", (s.width,), "F32")
    if not s.tied:
        yield TensorSpec("output.weight", (s.width, s.vocabulary), mix.output)


def _feed_forward(s: Shape, layer: int, plain: str, down: str) -> Iterator[TensorSpec]:
    if not s.experts:
        yield TensorSpec(f"blk.{layer}.ffn_down.weight", (s.feed, s.width), down)
        yield TensorSpec(f"blk.{layer}.ffn_gate.weight", (s.width, s.feed), plain)
        yield TensorSpec(f"blk.{layer}.ffn_up.weight", (s.width, s.feed), plain)
        return
    yield TensorSpec(f"blk.{layer}.ffn_down_exps.weight", (s.expert_feed, s.width, s.experts), down)
    yield TensorSpec(f"blk.{layer}.ffn_gate_exps.weight", (s.width, s.expert_feed, s.experts), plain)
    yield TensorSpec(f"blk.{layer}.ffn_gate_inp.weight", (s.width, s.experts), "F32")
    yield TensorSpec(f"blk.{layer}.ffn_up_exps.weight", (s.width, s.expert_feed, s.experts), plain)


def _gpt_oss(s: Shape) -> Iterator[TensorSpec]:
    query, key, feed = s.heads * s.head_size, s.heads_kv * s.head_size, s.expert_feed
    yield TensorSpec("token_embd.weight", (s.width, s.vocabulary), "BF16")
    for i in range(s.layers):
        yield TensorSpec(f"blk.{i}.attn_norm.weight", (s.width,), "F32")
        for name, rows in (("attn_q", query), ("attn_k", key), ("attn_v", key)):
            yield TensorSpec(f"blk.{i}.{name}.weight", (s.width, rows), "BF16")
            yield TensorSpec(f"blk.{i}.{name}.bias", (rows,), "F32")
        yield TensorSpec(f"blk.{i}.attn_output.weight", (query, s.width), "BF16")
        yield TensorSpec(f"blk.{i}.attn_output.bias", (s.width,), "F32")
        yield TensorSpec(f"blk.{i}.attn_sinks.weight", (s.heads,), "F32")
        yield TensorSpec(f"blk.{i}.post_attention_norm.weight", (s.width,), "F32")
        yield TensorSpec(f"blk.{i}.ffn_gate_inp.weight", (s.width, s.experts), "BF16")
        yield TensorSpec(f"blk.{i}.ffn_gate_inp.bias", (s.experts,), "F32")
        for name, shape in (("gate", (s.width, feed)), ("up", (s.width, feed)), ("down", (feed, s.width))):
            yield TensorSpec(f"blk.{i}.ffn_{name}_exps.weight", (*shape, s.experts), "MXFP4")
            yield TensorSpec(f"blk.{i}.ffn_{name}_exps.bias", (shape[1], s.experts), "F32")
    yield TensorSpec("output_norm.weight", (s.width,), "F32")
    yield TensorSpec("output.weight", (s.width, s.vocabulary), "BF16")


def decoder_header(s: Shape) -> bytes:
    """The GGUF header of a decoder; its declared file size is that of the whole model."""
    keys: dict[str, Any] = {
        "general.architecture": s.arch,
        "general.name": s.title,
        "general.file_type": FILE_TYPES[s.quant],
        "general.quantization_version": 2,
        f"{s.arch}.block_count": s.layers,
        f"{s.arch}.context_length": s.context,
        f"{s.arch}.embedding_length": s.width,
        f"{s.arch}.feed_forward_length": s.feed,
        f"{s.arch}.attention.head_count": s.heads,
        f"{s.arch}.attention.head_count_kv": s.heads_kv,
        f"{s.arch}.attention.key_length": s.head_size,
        f"{s.arch}.attention.value_length": s.head_size,
        f"{s.arch}.attention.layer_norm_rms_epsilon": 1e-05,
        f"{s.arch}.rope.freq_base": s.base,
        f"{s.arch}.vocab_size": s.vocabulary,
    }
    if s.experts:
        keys |= {
            f"{s.arch}.expert_count": s.experts,
            f"{s.arch}.expert_used_count": s.experts_used,
            f"{s.arch}.expert_feed_forward_length": s.expert_feed,
        }
    if s.window:
        keys[f"{s.arch}.attention.sliding_window"] = s.window
    keys |= _tokenizer(s)
    return header(keys, list(_gpt_oss(s) if s.arch == "gpt-oss" else _decoder(s)), s.tokenizer_bytes)


def _tokenizer(s: Shape) -> dict[str, Any]:
    if s.arch == "llama" and not s.rope_factors and s.vocabulary == 32000:
        return {"tokenizer.ggml.model": "llama"}
    before = {"llama": "llama-bpe", "qwen3moe": "qwen2", "qwen3": "qwen2"}.get(s.arch, s.arch)
    return {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": before}

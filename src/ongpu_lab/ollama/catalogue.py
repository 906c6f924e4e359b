"""The models of the lab's registry: metadata and tensors of the public models, from which every size follows.

Shapes and hyper-parameters are those of the models' published configurations (config.json of Llama 3.1 and 3.2, Qwen 3,
gpt-oss, nomic-embed-text v1.5); the quantisation mix is the one llama-quantize makes for Q4_K_M.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .gguf_write import TensorSpec, header

_FILE_TYPES = {"F16": 1, "Q4_K_M": 15, "MXFP4": 38}


@dataclass(frozen=True)
class Entry:
    """One model of the registry: `model:tag`, its header, and the texts that come with it."""

    model: str
    tag: str
    blob: bytes
    template: str = "{{ .Prompt }}"
    params: dict[str, Any] = field(default_factory=dict)
    licence: str = ""


@dataclass(frozen=True)
class Shape:
    """What decides the sizes of a decoder."""

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
    tokenizer_bytes: int = 7_820_000


def _more_bits(layer: int, layers: int) -> bool:
    """llama-quantize gives some layers of Q4_K_M six bits."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _decoder(s: Shape) -> Iterator[TensorSpec]:
    plain = "F16" if s.quant == "F16" else "Q4_K"
    six = "F16" if s.quant == "F16" else "Q6_K"
    query, key = s.heads * s.head_size, s.heads_kv * s.head_size
    if s.arch == "llama":
        yield TensorSpec("rope_freqs.weight", (s.head_size // 2,), "F32")
    yield TensorSpec("token_embd.weight", (s.width, s.vocabulary), six if s.tied else plain)
    for i in range(s.layers):
        strong = six if _more_bits(i, s.layers) else plain
        yield TensorSpec(f"blk.{i}.attn_norm.weight", (s.width,), "F32")
        yield TensorSpec(f"blk.{i}.ffn_down.weight", (s.feed, s.width), strong)
        yield TensorSpec(f"blk.{i}.ffn_gate.weight", (s.width, s.feed), plain)
        yield TensorSpec(f"blk.{i}.ffn_up.weight", (s.width, s.feed), plain)
        yield TensorSpec(f"blk.{i}.ffn_norm.weight", (s.width,), "F32")
        yield TensorSpec(f"blk.{i}.attn_k.weight", (s.width, key), plain)
        yield TensorSpec(f"blk.{i}.attn_output.weight", (query, s.width), plain)
        yield TensorSpec(f"blk.{i}.attn_q.weight", (s.width, query), plain)
        yield TensorSpec(f"blk.{i}.attn_v.weight", (s.width, key), strong)
        if s.arch == "qwen3":
            yield TensorSpec(f"blk.{i}.attn_q_norm.weight", (s.head_size,), "F32")
            yield TensorSpec(f"blk.{i}.attn_k_norm.weight", (s.head_size,), "F32")
    yield TensorSpec("output_norm.weight", (s.width,), "F32")
    if not s.tied:
        yield TensorSpec("output.weight", (s.width, s.vocabulary), six)


def _gpt_oss(s: Shape) -> Iterator[TensorSpec]:
    query, key = s.heads * s.head_size, s.heads_kv * s.head_size
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
        for name, shape in (("gate", (s.width, s.feed)), ("up", (s.width, s.feed)), ("down", (s.feed, s.width))):
            yield TensorSpec(f"blk.{i}.ffn_{name}_exps.weight", (*shape, s.experts), "MXFP4")
            yield TensorSpec(f"blk.{i}.ffn_{name}_exps.bias", (shape[1], s.experts), "F32")
    yield TensorSpec("output_norm.weight", (s.width,), "F32")
    yield TensorSpec("output.weight", (s.width, s.vocabulary), "BF16")


def decoder_header(s: Shape) -> bytes:
    keys: dict[str, Any] = {
        "general.architecture": s.arch,
        "general.name": s.title,
        "general.file_type": _FILE_TYPES[s.quant],
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
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "llama-bpe" if s.arch == "llama" else s.arch,
    }
    if s.experts:
        keys |= {
            f"{s.arch}.expert_count": s.experts,
            f"{s.arch}.expert_used_count": s.experts_used,
            f"{s.arch}.expert_feed_forward_length": s.feed,
            f"{s.arch}.attention.sliding_window": 128,
        }
    return header(keys, list(_gpt_oss(s) if s.experts else _decoder(s)), s.tokenizer_bytes)


def _nomic() -> bytes:
    width, feed, layers, vocabulary = 768, 3072, 12, 30522
    keys: dict[str, Any] = {
        "general.architecture": "nomic-bert",
        "general.name": "nomic-embed-text-v1.5",
        "general.file_type": _FILE_TYPES["F16"],
        "nomic-bert.block_count": layers,
        "nomic-bert.context_length": 2048,
        "nomic-bert.embedding_length": width,
        "nomic-bert.feed_forward_length": feed,
        "nomic-bert.attention.head_count": 12,
        "nomic-bert.attention.causal": False,
        "nomic-bert.pooling_type": 1,
        "nomic-bert.vocab_size": vocabulary,
        "tokenizer.ggml.model": "bert",
    }
    tensors = [
        TensorSpec("token_embd.weight", (width, vocabulary), "F16"),
        TensorSpec("token_types.weight", (width, 2), "F32"),
    ]
    tensors += [TensorSpec(f"token_embd_norm.{part}", (width,), "F32") for part in ("weight", "bias")]
    for i in range(layers):
        tensors += [
            TensorSpec(f"blk.{i}.attn_qkv.weight", (width, 3 * width), "F16"),
            TensorSpec(f"blk.{i}.attn_output.weight", (width, width), "F16"),
            TensorSpec(f"blk.{i}.ffn_up.weight", (width, feed), "F16"),
            TensorSpec(f"blk.{i}.ffn_gate.weight", (width, feed), "F16"),
            TensorSpec(f"blk.{i}.ffn_down.weight", (feed, width), "F16"),
        ]
        for name in ("attn_output_norm", "layer_output_norm"):
            tensors += [TensorSpec(f"blk.{i}.{name}.{part}", (width,), "F32") for part in ("weight", "bias")]
    return header(keys, tensors, 700_000)


LLAMA_3B = Shape("llama", "Llama 3.2 3B Instruct", 28, 3072, 24, 8, 128, 8192, 128256, 131072, tied=True)
LLAMA_8B = Shape("llama", "Meta Llama 3.1 8B Instruct", 32, 4096, 32, 8, 128, 14336, 128256, 131072)
QWEN_32B = Shape("qwen3", "Qwen3 32B", 64, 5120, 64, 8, 128, 25600, 151936, 40960, base=1000000.0)
GPT_OSS_20B = Shape(
    "gpt-oss",
    "gpt-oss 20B",
    24,
    2880,
    64,
    8,
    64,
    2880,
    201088,
    131072,
    quant="MXFP4",
    base=150000.0,
    experts=32,
    experts_used=4,
)


def entries() -> list[Entry]:
    """Everything that the lab's registry serves."""
    chat = "{{- range .Messages }}<|{{ .Role }}|>{{ .Content }}{{- end }}"
    stop = {"stop": ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]}
    return [
        Entry("llama3.2", "3b", decoder_header(LLAMA_3B), chat, stop, "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT"),
        Entry("llama3.2", "latest", decoder_header(LLAMA_3B), chat, stop, "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT"),
        Entry("llama3.1", "8b", decoder_header(LLAMA_8B), chat, stop, "LLAMA 3.1 COMMUNITY LICENSE AGREEMENT"),
        Entry("llama3.1", "latest", decoder_header(LLAMA_8B), chat, stop, "LLAMA 3.1 COMMUNITY LICENSE AGREEMENT"),
        Entry("qwen3", "32b", decoder_header(QWEN_32B), chat, {"temperature": 0.6, "top_k": 20, "top_p": 0.95}),
        Entry("gpt-oss", "20b", decoder_header(GPT_OSS_20B), chat, {"temperature": 1}),
        Entry("nomic-embed-text", "latest", _nomic(), params={"num_ctx": 8192}),
    ]

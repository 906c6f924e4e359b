"""The models of the recordings, rebuilt: the same shapes, random weights left out."""

from __future__ import annotations

from typing import Any

from ongpu_lab.ollama.catalogue import LLAMA_8B, Entry
from ongpu_lab.ollama.decoders import Shape, decoder_header
from ongpu_lab.ollama.gguf_write import TensorSpec, header

TINY = Shape("llama", "Tiny Random", 6, 256, 4, 2, 64, 512, 224, 4096, quant="F16", tokenizer_bytes=6000)
BIG = Shape("llama", "Big Random", 24, 1024, 16, 8, 64, 2816, 224, 32768, quant="F16", tokenizer_bytes=6000)


def tiny() -> Entry:
    return Entry("tiny", "latest", decoder_header(TINY))


def big(name: str = "big") -> Entry:
    return Entry(name, "latest", decoder_header(BIG), params={"num_ctx": 8192, "temperature": 0})


def llama_8b() -> Entry:
    return Entry("llama3.1", "8b", decoder_header(LLAMA_8B))


def _moe(name: str, layers: int, width: int, heads: int, heads_kv: int, feed: int, experts: int, used: int) -> Entry:
    """The recorded random mixture of experts, `qwen3moe`."""
    arch, vocabulary, head = "qwen3moe", 224, 64
    keys: dict[str, Any] = {
        "general.architecture": arch,
        "general.name": "MoE Random",
        "general.file_type": 1,
        f"{arch}.context_length": 32768,
        f"{arch}.embedding_length": width,
        f"{arch}.block_count": layers,
        f"{arch}.feed_forward_length": 2 * feed,
        f"{arch}.expert_feed_forward_length": feed,
        f"{arch}.expert_count": experts,
        f"{arch}.expert_used_count": used,
        f"{arch}.attention.head_count": heads,
        f"{arch}.attention.head_count_kv": heads_kv,
        f"{arch}.attention.key_length": head,
        f"{arch}.attention.value_length": head,
        f"{arch}.vocab_size": vocabulary,
    }
    tensors = [
        TensorSpec("output.weight", (width, vocabulary), "F16"),
        TensorSpec("output_norm.weight", (width,), "F32"),
    ]
    tensors.append(TensorSpec("token_embd.weight", (width, vocabulary), "F16"))
    for i in range(layers):
        tensors += [
            TensorSpec(f"blk.{i}.attn_k.weight", (width, heads_kv * head), "F16"),
            TensorSpec(f"blk.{i}.attn_k_norm.weight", (head,), "F32"),
            TensorSpec(f"blk.{i}.attn_norm.weight", (width,), "F32"),
            TensorSpec(f"blk.{i}.attn_output.weight", (heads * head, width), "F16"),
            TensorSpec(f"blk.{i}.attn_q.weight", (width, heads * head), "F16"),
            TensorSpec(f"blk.{i}.attn_q_norm.weight", (head,), "F32"),
            TensorSpec(f"blk.{i}.attn_v.weight", (width, heads_kv * head), "F16"),
            TensorSpec(f"blk.{i}.ffn_down_exps.weight", (feed, width, experts), "F16"),
            TensorSpec(f"blk.{i}.ffn_gate_exps.weight", (width, feed, experts), "F16"),
            TensorSpec(f"blk.{i}.ffn_gate_inp.weight", (width, experts), "F32"),
            TensorSpec(f"blk.{i}.ffn_norm.weight", (width,), "F32"),
            TensorSpec(f"blk.{i}.ffn_up_exps.weight", (width, feed, experts), "F16"),
        ]
    return Entry(name, "latest", header(keys, tensors, 6000))


def moe() -> Entry:
    return _moe("moe", 6, 256, 4, 2, 256, 8, 2)


def moe_big() -> Entry:
    return _moe("moebig", 24, 1024, 16, 8, 512, 32, 4)

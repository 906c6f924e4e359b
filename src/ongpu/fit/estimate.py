"""Tensors of a model whose tensor table is not known: the file's size, shared out by the architecture's shapes."""

from __future__ import annotations

from collections.abc import Mapping

from ongpu.fit.facts import Facts, InsufficientFacts
from ongpu.fit.tensors import Layer, Tensors

# Bits of a weight of the output matrix, by general.file_type (llama.cpp: llama_ftype); None = as the rest.
_OUTPUT_BITS = {0: 32.0, 1: 16.0, 7: 8.5, 14: 6.5625, 15: 6.5625, 16: 6.5625, 17: 6.5625, 18: 6.5625}
_ALWAYS_TIED = {"gemma", "gemma2", "gemma3", "gemma3n", "cohere2", "command-r", "lfm2", "granitehybrid"}
# Llama 3.2 1B and 3B, Qwen up to 4B, Mamba up to 2.8B (Codestral Mamba, 4096 wide, is not)
_TIED_IF_SMALL, _SMALL = {"llama", "qwen2", "qwen3", "mamba", "mamba2"}, 3072
_HEADER_PER_TOKEN = 40  # bytes of tokenizer per token, about


def estimate(facts: Facts, info: Mapping[str, object], file_bytes: int) -> Tensors:
    """Shares `file_bytes` out. Raises InsufficientFacts without a size or a vocabulary."""
    if not file_bytes:
        raise InsufficientFacts("the model's size is not known: give tensors, or file_size_bytes")
    if not facts.vocabulary:
        raise InsufficientFacts(
            f"the size of the vocabulary is not known: give tensors, {facts.name}.vocab_size, or tokenizer.ggml.tokens"
        )
    weights = max(0, file_bytes - _HEADER_PER_TOKEN * facts.vocabulary)
    table = facts.vocabulary * facts.n
    dense, expert = _values_of_layers(facts)
    tied = _is_tied(facts, info.get("general.parameter_count"), sum(dense) + sum(expert))
    count = sum(dense) + sum(expert) + table * (1 if tied or facts.arch.encoder else 2)
    bits = 8 * weights / count
    kind = info.get("general.file_type")
    output_bits = max(bits, _OUTPUT_BITS.get(kind, bits) if isinstance(kind, int) else bits)
    embedding = int(table * (output_bits if tied else bits) / 8)
    output = 0 if tied or facts.arch.encoder else int(table * output_bits / 8)
    embedding, output = min(embedding, weights // 2), min(output, weights // 2)
    left = max(0, weights - embedding - output)
    scale = left / max(1, sum(dense) + sum(expert))
    layers = tuple(_layer(int(d * scale), int(e * scale), facts) for d, e in zip(dense, expert, strict=True))
    return Tensors(layers, embedding, embedding, 0, output, output, 0, tied, is_estimate=True)


def bits_per_weight(facts: Facts, tensors: Tensors) -> float:
    """Bits of a weight on average, by the architecture's shapes."""
    dense, expert = _values_of_layers(facts)
    tables = 1 if tensors.tied or facts.arch.encoder else 2
    return 8 * tensors.file_bytes / max(1, sum(dense) + sum(expert) + tables * facts.vocabulary * facts.n)


def _values_of_layers(facts: Facts) -> tuple[list[int], list[int]]:
    """Weights of each layer: (attention, feed-forward and state; experts)."""
    matrices = {"gated": 3, "fused": 3, "parallel": 3, "plain": 2}[facts.arch.feed]
    dense, expert = [], []
    for i in range(facts.layers):
        attention = facts.n * (2 * facts.heads * facts.dk + facts.kv_heads[i] * (facts.dk + facts.dv))
        if facts.recurrent[i]:
            _, inner, groups, state, ranks = facts.ssm
            mixed = facts.n * (3 * inner + 2 * groups * state + ranks)
            attention = (mixed or 6 * facts.n * facts.n) + (attention if facts.arch.hybrid_attention else 0)
        if facts.is_moe:
            expert.append(3 * facts.experts * facts.expert_ff * facts.n)
            dense.append(attention + 3 * facts.shared_ff * facts.n)
        else:
            expert.append(0)
            dense.append(max(1, attention + matrices * facts.ff[i] * facts.n))
    return dense, expert


def _is_tied(facts: Facts, parameters: object, layers: int) -> bool:
    """Is the embedding the output too? By the count of parameters, or as models of the kind usually are."""
    if facts.name in _ALWAYS_TIED:
        return True
    table = facts.vocabulary * facts.n
    if isinstance(parameters, int) and parameters > 0:
        return abs(parameters - layers - table) < abs(parameters - layers - 2 * table)
    return facts.n <= _SMALL and not facts.is_moe and facts.name in _TIED_IF_SMALL


def _layer(dense: int, experts: int, facts: Facts) -> Layer:
    parts = dict.fromkeys(("up", "gate", "down"), experts // 3) if experts else {}
    feed = dense * 2 // 3 if not facts.is_moe else 0
    matrices = dict.fromkeys(("up", "gate", "down"), feed // 3)
    return Layer(dense, feed, parts, matrices, dense, dict(parts))

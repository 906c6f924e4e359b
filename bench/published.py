"""Models that records of real loads name, by their published configurations and llama-quantize's mixes.

A record says little more than a name. What is known under that name is put here once, so that a prediction can be held
against the record. Files of others' quantisations (`~Q4`, UD-Q4_K_L) have no tensor table that could be known: of them
only the caches are predicted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ongpu.fit import gguf
from ongpu.fit.description import Description, of_header
from ongpu.fit.facts import Facts, facts_of
from ongpu_lab.ollama.catalogue import LLAMA_3B, LLAMA_8B, QWEN_8B, QWEN_30B_A3B
from ongpu_lab.ollama.decoders import Shape, decoder_header
from ongpu_lab.ollama.encoders import Encoder, encoder_header

_LLAMA_3 = replace(LLAMA_8B, title="Llama 3 8B", rope_factors=False, context=8192)
_QWEN_25_32B = Shape("qwen2", "Qwen 2.5 32B", 64, 5120, 40, 8, 128, 27648, 152064, 32768)
_MISTRAL_7B = Shape("llama", "Mistral 7B", 32, 4096, 32, 8, 128, 14336, 32000, 32768, quant="Q4_0")
_MISTRAL_24B = Shape("mistral3", "Mistral Small 24B", 40, 5120, 32, 8, 128, 32768, 131072, 131072, quant="Q8_0")
_BGE_SMALL = Encoder("bert", "bge-small", 12, 384, 12, 1536, 512, pooling=2)

# The beginning of a record's `metadata.model` -> the header of that file.
_FILES = {
    "Llama-3 8B fine-tune": decoder_header(_LLAMA_3),
    "Qwen3-8B Q4_K_M": decoder_header(QWEN_8B),
    "llama3.2 3B Q4_K_M": decoder_header(LLAMA_3B),
    "qwen2.5-coder:32b Q4_K_M": decoder_header(_QWEN_25_32B),
    "qwen3-30b-a3b-2507 Q8_0": decoder_header(replace(QWEN_30B_A3B, quant="Q8_0")),
    "mistral 7B Q4_0": decoder_header(_MISTRAL_7B),
    "mistral-small3.x 24B Q8_0": decoder_header(_MISTRAL_24B),
    "bge-small F16": encoder_header(_BGE_SMALL),
}


def _hybrid(arch: str, layers: int, width: int, heads: int, inner: int) -> dict[str, Any]:
    """Qwen3-Next and 3.5: full attention in every fourth layer, a gated delta rule in the others."""
    keys: dict[str, Any] = {
        "block_count": layers,
        "embedding_length": width,
        "attention.head_count": 16,
        "attention.head_count_kv": heads,
        "attention.key_length": 256,
        "attention.value_length": 256,
        "full_attention_interval": 4,
        "ssm.conv_kernel": 4,
        "ssm.inner_size": inner,
        "ssm.group_count": 16,
        "ssm.state_size": 128,
    }
    return {"general.architecture": arch} | {f"{arch}.{key}": value for key, value in keys.items()}


def _plain(arch: str, layers: int, width: int, heads: int, heads_kv: int) -> dict[str, Any]:
    keys = {"block_count": layers, "embedding_length": width, "attention.head_count": heads}
    keys |= {"attention.head_count_kv": heads_kv, "attention.key_length": 128, "attention.value_length": 128}
    return {"general.architecture": arch} | {f"{arch}.{key}": value for key, value in keys.items()}


_KEYS = {
    "Qwen3.5-9B": _hybrid("qwen35", 32, 4096, 4, 4096),
    "Qwen3.x 27B": _hybrid("qwen35", 64, 5120, 4, 6144),
    "Qwen3.5-35B-A3B": _hybrid("qwen35moe", 40, 2048, 2, 4096),
    "qwen3-coder-next": _hybrid("qwen3next", 48, 2048, 2, 4096),
    "Command-R 35B": _plain("command-r", 40, 8192, 64, 64),
    "56-layer model (codestral": _plain("llama", 56, 6144, 48, 8),
}


# Of a vision encoder in the same file, which Ollama's own runner counts as weights. Mistral Small 3.1's is in F16: 24
# layers of width 1024 with feed 4096, and the matrices that lead to the decoder.
_VISION = {"mistral-small3.x": 2 * (24 * (4 * 1024**2 + 3 * 1024 * 4096) + 4096 * 1024 + 1024 * 5120 + 5120**2)}


@dataclass(frozen=True)
class Published:
    """`description` is None where the file's tensors are not known; `vision_bytes` lie on a GPU with the weights."""

    facts: Facts
    description: Description | None
    vision_bytes: int = 0


def published(name: str) -> Published | None:
    """By the name in a record; None for what is not known here."""
    for start, data in _FILES.items():
        if name.startswith(start):
            described = of_header(name, gguf.parse(data))
            vision = next((size for kind, size in _VISION.items() if name.startswith(kind)), 0)
            return Published(described.facts, described, vision)
    for start, keys in _KEYS.items():
        if name.startswith(start):
            return Published(facts_of(keys), None)
    return None

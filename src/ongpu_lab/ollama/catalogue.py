"""The models of the lab's registry: what a small fleet serves, and one of each kind that behaves in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .decoders import Shape, decoder_header
from .encoders import MXBAI, NOMIC, clip_header, encoder_header


@dataclass(frozen=True)
class Entry:
    """One model of the registry: `model:tag`, its header, that of its projector, and the texts that come with it."""

    model: str
    tag: str
    blob: bytes
    template: str = "{{ .Prompt }}"
    params: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    projector: bytes = b""


LLAMA_1B = Shape(
    "llama",
    "Llama 3.2 1B Instruct",
    16,
    2048,
    32,
    8,
    64,
    8192,
    128256,
    131072,
    tied=True,
    quant="Q8_0",
    rope_factors=True,
)
LLAMA_3B = Shape(
    "llama", "Llama 3.2 3B Instruct", 28, 3072, 24, 8, 128, 8192, 128256, 131072, tied=True, rope_factors=True
)
LLAMA_8B = Shape("llama", "Meta Llama 3.1 8B Instruct", 32, 4096, 32, 8, 128, 14336, 128256, 131072, rope_factors=True)
LLAMA_70B = Shape("llama", "Llama 3.3 70B Instruct", 80, 8192, 64, 8, 128, 28672, 128256, 131072, rope_factors=True)
QWEN_8B = Shape("qwen3", "Qwen3 8B", 36, 4096, 32, 8, 128, 12288, 151936, 40960, base=1000000.0)
QWEN_32B = Shape("qwen3", "Qwen3 32B", 64, 5120, 64, 8, 128, 25600, 151936, 40960, base=1000000.0)
QWEN_30B_A3B = Shape(
    "qwen3moe",
    "Qwen3 30B A3B",
    48,
    2048,
    32,
    4,
    128,
    6144,
    151936,
    262144,
    base=10000000.0,
    experts=128,
    experts_used=8,
    expert_feed=768,
)
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
    expert_feed=2880,
    window=128,
)
MISTRAL_7B = Shape(
    "llama",
    "Mistral 7B Instruct v0.2",
    32,
    4096,
    32,
    8,
    128,
    14336,
    32000,
    32768,
    quant="Q4_0",
    base=1000000.0,
    tokenizer_bytes=730_000,
)

_CHAT = "{{- range .Messages }}<|{{ .Role }}|>{{ .Content }}{{- end }}"
_LLAMA_STOP = {"stop": ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]}
_QWEN = {"temperature": 0.6, "top_k": 20, "top_p": 0.95}


def _llama(model: str, tags: tuple[str, ...], shape: Shape, version: str) -> list[Entry]:
    licence = f"LLAMA {version} COMMUNITY LICENSE AGREEMENT"
    return [Entry(model, tag, decoder_header(shape), _CHAT, _LLAMA_STOP, licence) for tag in tags]


def entries() -> list[Entry]:
    """Everything that the lab's registry serves."""
    return [
        *_llama("llama3.2", ("1b",), LLAMA_1B, "3.2"),
        *_llama("llama3.2", ("3b", "latest"), LLAMA_3B, "3.2"),
        *_llama("llama3.1", ("8b", "latest"), LLAMA_8B, "3.1"),
        *_llama("llama3.3", ("70b", "latest"), LLAMA_70B, "3.3"),
        Entry("qwen3", "8b", decoder_header(QWEN_8B), _CHAT, _QWEN),
        Entry("qwen3", "latest", decoder_header(QWEN_8B), _CHAT, _QWEN),
        Entry("qwen3", "32b", decoder_header(QWEN_32B), _CHAT, _QWEN),
        Entry("qwen3", "30b-a3b", decoder_header(QWEN_30B_A3B), _CHAT, _QWEN),
        Entry("gpt-oss", "20b", decoder_header(GPT_OSS_20B), _CHAT, {"temperature": 1}),
        Entry("gpt-oss", "latest", decoder_header(GPT_OSS_20B), _CHAT, {"temperature": 1}),
        Entry("nomic-embed-text", "latest", encoder_header(NOMIC), params={"num_ctx": 8192}),
        Entry("mxbai-embed-large", "latest", encoder_header(MXBAI), params={"num_ctx": 512}),
        *(
            Entry(
                "llava",
                tag,
                decoder_header(MISTRAL_7B),
                "[INST] {{ .Prompt }} [/INST]",
                {"stop": ["[INST]", "[/INST]"]},
                "Apache License 2.0",
                clip_header(MISTRAL_7B.width),
            )
            for tag in ("7b", "latest")
        ),
    ]

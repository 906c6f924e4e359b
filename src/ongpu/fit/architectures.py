"""What the formulas must know of an architecture beyond its GGUF keys (llama.cpp: src/models, src/llama-model.cpp).

Adding an architecture is one line here; one that is not listed is sized as a plain transformer, with a wider
error bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Feed = Literal["gated", "plain", "fused", "parallel"]
Recurrent = Literal["none", "all", "no-kv-heads", "no-kv-heads-no-ff", "interval"]
State = Literal["none", "mamba", "rwkv", "short-conv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """`window` = (period, count): layer i has a sliding window if i % period < count.

    `feed` is the kind of the feed-forward block; `state` how large a recurrent layer's state is, `recurrent`
    which layers have one; `hybrid_attention` = recurrent layers have attention too; `layers_with_kv` = later
    layers share the cache of earlier ones (0: all have their own); `one_slot` = Ollama serves one request at a
    time; `post_norm` = a norm after each block too, as Gemma has; `input_is_residual` = no norm before attention;
    `border_bug` = llama.cpp may switch flash attention off when layers are on the host.
    """

    window: tuple[int, int] | None = None
    default_window: int = 0
    layers_with_kv: int = 0
    feed: Feed = "gated"
    recurrent: Recurrent = "none"
    state: State = "none"
    hybrid_attention: bool = False
    encoder: bool = False
    one_slot: bool = False
    border_bug: bool = False
    post_norm: bool = False
    input_is_residual: bool = False


_PLAIN = Architecture()
_ENCODER = Architecture(encoder=True, feed="plain")

ARCHITECTURES: dict[str, Architecture] = {
    **dict.fromkeys(("llama", "mistral3", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "olmoe"), _PLAIN),
    **dict.fromkeys(("granite", "granitemoe", "deepseek", "deepseek2", "glm4", "internlm2", "smollm3"), _PLAIN),
    **dict.fromkeys(("qwen2vl", "qwen3vl", "qwen3vlmoe", "exaone", "arcee"), _PLAIN),
    "phi3": Architecture(feed="fused"),
    "gemma": _PLAIN,
    "gemma2": Architecture(window=(2, 1), post_norm=True),
    "gemma3": Architecture(window=(6, 5), post_norm=True),
    "gemma3n": Architecture(window=(5, 4), layers_with_kv=20, post_norm=True),
    "gpt-oss": Architecture(window=(2, 1)),
    "llama4": Architecture(window=(4, 3), default_window=8192),
    "cohere2": Architecture(window=(4, 3), feed="parallel"),
    "command-r": Architecture(feed="parallel"),
    "olmo2": Architecture(input_is_residual=True),
    "olmo3": Architecture(window=(4, 3), input_is_residual=True),
    "bert": _ENCODER,
    "nomic-bert": Architecture(encoder=True, feed="gated"),
    "mamba": Architecture(recurrent="all", state="mamba"),
    "mamba2": Architecture(recurrent="all", state="mamba"),
    "falcon-h1": Architecture(recurrent="all", state="mamba", hybrid_attention=True),
    "jamba": Architecture(recurrent="no-kv-heads", state="mamba"),
    "granitehybrid": Architecture(recurrent="no-kv-heads", state="mamba"),
    "nemotron_h": Architecture(
        recurrent="no-kv-heads-no-ff", state="mamba", feed="plain", one_slot=True, border_bug=True
    ),
    "nemotron_h_moe": Architecture(
        recurrent="no-kv-heads-no-ff", state="mamba", feed="plain", one_slot=True, border_bug=True
    ),
    "lfm2": Architecture(recurrent="no-kv-heads", state="short-conv", one_slot=True, border_bug=True),
    "lfm2moe": Architecture(recurrent="no-kv-heads", state="short-conv", one_slot=True, border_bug=True),
    "qwen3next": Architecture(recurrent="interval", state="mamba", one_slot=True),
    "qwen35": Architecture(recurrent="interval", state="mamba", one_slot=True),
    "qwen35moe": Architecture(recurrent="interval", state="mamba", one_slot=True),
    "rwkv7": Architecture(recurrent="all", state="rwkv"),
}

# Ollama's own converter writes these names for what llama.cpp calls otherwise.
_ALIASES = {"gptoss": "gpt-oss", "qwen25vl": "qwen2vl"}


def architecture(name: str) -> tuple[Architecture, bool]:
    """The entry of a name, and whether it is known."""
    found = ARCHITECTURES.get(_ALIASES.get(name, name))
    return found or _PLAIN, found is not None

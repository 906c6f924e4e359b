"""The hyperparameters that memory depends on, from GGUF key-values (`model_info` of Ollama's /api/show)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ongpu.errors import Exit, OngpuError
from ongpu.fit.architectures import Architecture, architecture

_MOST_LAYERS, _MOST = 10_000, 2**40


class InsufficientFacts(OngpuError):
    """A model's size cannot be predicted from what is known of it."""

    exit_code = Exit.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Numbers of one model, named as in llama.cpp; tuples hold one entry per layer (`block_count` of them).

    `kv_heads[i]` is 0 where layer i has no attention cache of its own.
    """

    name: str
    arch: Architecture
    is_known: bool
    layers: int
    n: int
    heads: int
    kv_heads: tuple[int, ...]
    dk: int
    dv: int
    ff: tuple[int, ...]
    vocabulary: int
    context_length: int
    window: int
    windowed: tuple[bool, ...]
    recurrent: tuple[bool, ...]
    experts: int
    experts_used: int
    expert_ff: int
    shared_ff: int
    mla: tuple[int, int, int, int] | None  # kv_lora_rank, rope dimensions, key_length_mla, value_length_mla
    ssm: tuple[int, int, int, int, int]  # conv_kernel, inner_size, group_count, state_size, time_step_rank
    rwkv: tuple[int, int, int]  # token_shift_count, head_size, decay_lora_rank
    short_conv: int

    @property
    def is_moe(self) -> bool:
        return self.experts > 0

    @property
    def has_window(self) -> bool:
        return any(self.windowed)

    @property
    def has_full(self) -> bool:
        return any(heads and not windowed for heads, windowed in zip(self.kv_heads, self.windowed, strict=True))

    def cached(self, layer: int) -> bool:
        """Does this layer hold keys (and values) of every token?"""
        return bool(self.kv_heads[layer]) and not self.arch.encoder


class _Keys:
    """GGUF key-values of one architecture, as bounded integers."""

    def __init__(self, info: Mapping[str, object], arch: str) -> None:
        self.info, self.arch = info, arch

    def raw(self, key: str) -> object:
        return self.info.get(f"{self.arch}.{key}")

    def has(self, key: str) -> bool:
        return self.raw(key) is not None

    def number(self, key: str, default: int = 0) -> int:
        """A scalar, or an array's largest entry. Raises InsufficientFacts if it is something else."""
        return max(self.per_layer(key, 1, default), default=default)

    def per_layer(self, key: str, layers: int, default: int = 0) -> tuple[int, ...]:
        value = self.raw(key)
        if value is None:
            return (default,) * layers
        if isinstance(value, list) and value:
            numbers = tuple(self._integer(key, item) for item in value)
            return (numbers + (numbers[-1],) * layers)[: max(layers, len(numbers)) if layers == 1 else layers]
        return (self._integer(key, value),) * layers

    def _integer(self, key: str, value: object) -> int:
        if isinstance(value, (int, float)) and 0 <= value < _MOST:
            return int(value)
        raise InsufficientFacts(f"the key {self.arch}.{key} of the model is {str(value)[:40]!r}, not a size")

    def required(self, key: str) -> int:
        number = self.number(key)
        if not number:
            raise InsufficientFacts(
                f"the model does not say its {self.arch}.{key}; give a complete model_info (/api/show with verbose)"
            )
        return number


def facts_of(info: Mapping[str, object], embedding_rows: int = 0) -> Facts:
    """Facts of a model; `embedding_rows` is the vocabulary as the tensor table says it, 0 if unknown.

    Raises InsufficientFacts, which names the key that is missing or wrong.
    """
    name = info.get("general.architecture")
    if not isinstance(name, str) or not name:
        raise InsufficientFacts("model_info has no general.architecture; give the GGUF key-values of /api/show")
    keys, (arch, known) = _Keys(info, name), architecture(name)
    layers = keys.required("block_count")
    if layers > _MOST_LAYERS:
        raise InsufficientFacts(f"the model says {name}.block_count {layers}; no model has so many layers")
    n = keys.required("embedding_length")
    heads = keys.number("attention.head_count")
    kv_heads = keys.per_layer("attention.head_count_kv", layers, heads)
    ff = keys.per_layer("feed_forward_length", layers, 0)
    if not known:
        arch = _as_its_keys_say(keys, kv_heads)
    head = n // heads if heads else 0
    dk = keys.number("attention.key_length", head)
    recurrent = tuple(_is_recurrent(arch, i, kv_heads[i], ff[i], keys) for i in range(layers))
    if arch.recurrent != "none" and not arch.hybrid_attention:
        kv_heads = tuple(0 if recurrent[i] else kv_heads[i] for i in range(layers))
    own = arch.layers_with_kv or layers - keys.number("attention.shared_kv_layers")
    kv_heads = tuple(count if i < own else 0 for i, count in enumerate(kv_heads))
    window, windowed = _windows(arch, keys, layers)
    return Facts(
        name=name,
        arch=arch,
        is_known=known,
        layers=layers,
        n=n,
        heads=heads,
        kv_heads=kv_heads,
        dk=dk,
        dv=keys.number("attention.value_length", head),
        ff=ff,
        vocabulary=_vocabulary(info, keys) or embedding_rows,
        context_length=keys.number("context_length"),
        window=window,
        windowed=windowed,
        recurrent=recurrent,
        experts=keys.number("expert_count"),
        experts_used=keys.number("expert_used_count"),
        expert_ff=keys.number("expert_feed_forward_length", max(ff, default=0)),
        shared_ff=keys.number("expert_shared_feed_forward_length"),
        mla=_mla(keys),
        ssm=_five(keys),
        rwkv=(
            keys.number("token_shift_count", 2),
            keys.number("wkv.head_size"),
            keys.number("attention.decay_lora_rank"),
        ),
        short_conv=keys.number("shortconv.l_cache"),
    )


def _as_its_keys_say(keys: _Keys, kv_heads: tuple[int, ...]) -> Architecture:
    """What the keys of an architecture that nobody listed tell of it: is it an encoder, does it keep a state?"""
    if keys.raw("attention.causal") is False:
        return Architecture(encoder=True, feed="plain")
    if not keys.has("ssm.state_size"):
        return Architecture()
    if keys.has("full_attention_interval"):
        return Architecture(recurrent="interval", state="mamba")
    if any(kv_heads) and not all(kv_heads):
        return Architecture(recurrent="no-kv-heads", state="mamba")
    return Architecture(recurrent="all", state="mamba", hybrid_attention=True)


def _is_recurrent(arch: Architecture, layer: int, kv_heads: int, ff: int, keys: _Keys) -> bool:
    rules: dict[str, Callable[[], bool]] = {
        "none": lambda: False,
        "all": lambda: True,
        "no-kv-heads": lambda: kv_heads == 0,
        "no-kv-heads-no-ff": lambda: kv_heads == 0 and ff == 0,
        "interval": lambda: (layer + 1) % max(1, keys.number("full_attention_interval", 4)) != 0,
    }
    return rules[arch.recurrent]()


def _windows(arch: Architecture, keys: _Keys, layers: int) -> tuple[int, tuple[bool, ...]]:
    """The window in tokens, and which layers have it. A key that the architecture ignores is ignored."""
    if arch.window is None:
        return 0, (False,) * layers
    window = arch.default_window or keys.number("attention.sliding_window")
    pattern = keys.raw("attention.sliding_window_pattern")
    if isinstance(pattern, list) and len(pattern) >= layers:
        return window, tuple(bool(item) and window > 0 for item in pattern[:layers])
    period, count = arch.window
    return window, tuple(window > 0 and i % period < count for i in range(layers))


def _vocabulary(info: Mapping[str, object], keys: _Keys) -> int:
    tokens = info.get("tokenizer.ggml.tokens")
    return keys.number("vocab_size") or (len(tokens) if isinstance(tokens, list) else 0)


def _mla(keys: _Keys) -> tuple[int, int, int, int] | None:
    """Multi-head latent attention, as newer conversions have it (with key_length_mla)."""
    if not keys.has("attention.key_length_mla"):
        return None
    return (
        keys.number("attention.kv_lora_rank"),
        keys.number("rope.dimension_count"),
        keys.number("attention.key_length_mla"),
        keys.number("attention.value_length_mla"),
    )


def _five(keys: _Keys) -> tuple[int, int, int, int, int]:
    return (
        keys.number("ssm.conv_kernel"),
        keys.number("ssm.inner_size"),
        keys.number("ssm.group_count"),
        keys.number("ssm.state_size"),
        keys.number("ssm.time_step_rank"),
    )

"""How much memory a model takes where: weights, KV cache and compute buffers of llama.cpp (llama_context, ggml-alloc).

Formulas checked against llama.cpp 4df29be4f; the compute buffer of a partial offload is a middle estimate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from .gguf import Model, Tensor

HOST = -1  # "device" number of the CPU
_HOST_ALWAYS = ("token_embd.", "position_embd.", "token_types.", "token_embd_norm.")
EXPERTS = re.compile(r"\.ffn_(up|down|gate)_(ch|)exps")
# sliding-window layers by architecture: layer i has a window if i % period < count
_WINDOWS = {"gpt-oss": (2, 1), "gemma3": (6, 5), "gemma2": (2, 1)}
_ROW = {
    "f32": (1, 4),
    "f16": (1, 2),
    "bf16": (1, 2),
    "q8_0": (32, 34),
    "q5_1": (32, 24),
    "q5_0": (32, 22),
    "q4_1": (32, 20),
    "q4_0": (32, 18),
    "iq4_nl": (32, 18),
}
KV_TYPES = frozenset(_ROW)


@dataclass(frozen=True)
class Settings:
    """What llama-server was told about memory. `context` is the total of all slots."""

    context: int
    parallel: int = 1
    batch: int = 512
    ubatch: int = 512
    flash: str = "auto"
    type_k: str = "f16"
    type_v: str = "f16"
    kv_offload: bool = True
    mmap: bool = True
    main_device: bool = True  # a GPU backend is there, even if no layer is on it


@dataclass(frozen=True)
class Placement:
    """`layers[i]` is the device of layer i, the last that of the output; `host` names tensors kept on the host."""

    layers: tuple[int, ...]
    host: re.Pattern[str] | None = None
    partial: frozenset[str] = frozenset()  # names of single tensors kept on the host

    @property
    def offloaded(self) -> int:
        return sum(device != HOST for device in self.layers)

    def of(self, tensor: Tensor) -> int:
        if tensor.name.startswith(_HOST_ALWAYS):
            return HOST
        device = self.layers[-1 if tensor.layer is None else tensor.layer]
        if tensor.name in self.partial or (self.host and self.host.search(tensor.name)):
            return HOST
        return device


@dataclass
class Buffers:
    """Bytes on one device (or the host)."""

    model: int = 0
    kv: int = 0
    compute: int = 0

    @property
    def total(self) -> int:
        return self.model + self.kv + self.compute


@dataclass
class Use:
    """Bytes of a whole placement; `devices` holds an entry for every GPU, even an empty one."""

    devices: dict[int, Buffers]
    host: Buffers = field(default_factory=Buffers)
    output: int = 0


class Sizer:
    """The sizes of one model under one set of settings."""

    def __init__(self, model: Model, settings: Settings) -> None:
        self.model, self.settings = model, settings
        self.layers = int(model.get("block_count", 0))
        self.n = int(model.get("embedding_length", 0))
        self.heads = int(model.get("attention.head_count", 1))
        self.heads_kv = int(model.get("attention.head_count_kv", self.heads))
        self.dk = int(model.get("attention.key_length", self.n // max(1, self.heads)))
        self.dv = int(model.get("attention.value_length", self.dk))
        self.ff = int(model.get("feed_forward_length", 0))
        self.experts_used = int(model.get("expert_used_count", 0))
        self.expert_ff = int(model.get("expert_feed_forward_length", self.ff))
        self.window = int(model.get("attention.sliding_window", 0)) if model.arch in _WINDOWS else 0
        self.encoder = model.arch in ("bert", "nomic-bert")
        self.flash = settings.flash != "off"
        self.cells = -(-settings.context // settings.parallel // 256) * 256

    @cached_property
    def tied(self) -> bool:
        return not self.encoder and not any(tensor.name == "output.weight" for tensor in self.model.tensors)

    def use(self, placement: Placement, devices: int) -> Use:
        result = Use({number: Buffers() for number in range(devices)})
        self._weights(placement, result)
        if not self.encoder:
            for layer in range(self.layers):
                device = placement.layers[layer] if self.settings.kv_offload else HOST
                self._buffers(result, device).kv += self.kv_of_layer(layer)
        self._compute(placement, result)
        result.output = 4 * self.settings.parallel * (self.n if self.encoder else self.vocabulary)
        return result

    @property
    def vocabulary(self) -> int:
        tokens = self.model.keys.get("tokenizer.ggml.tokens")
        return int(self.model.get("vocab_size", 0)) or len(tokens or ())

    @staticmethod
    def _buffers(use: Use, device: int) -> Buffers:
        return use.host if device == HOST else use.devices[device]

    def _weights(self, placement: Placement, use: Use) -> None:
        host: list[Tensor] = []
        for tensor in self.model.tensors:
            device = placement.of(tensor)
            if device == HOST:
                host.append(tensor)
            else:
                use.devices[device].model += -(-tensor.bytes // 128) * 128
            if tensor.name == "token_embd.weight" and self.tied and placement.layers[-1] != HOST:
                use.devices[placement.layers[-1]].model += tensor.bytes
        if host and self.settings.mmap:  # a mapping: from the first to the last host tensor of the file
            use.host.model = max(t.offset + t.bytes for t in host) - min(t.offset for t in host)
        else:
            use.host.model = sum(tensor.bytes for tensor in host)

    def windowed(self, layer: int) -> bool:
        if not self.window:
            return False
        period, count = _WINDOWS[self.model.arch]
        return layer % period < count

    @property
    def window_cells(self) -> int:
        tokens = min(self.settings.ubatch, self.settings.batch, self.settings.context)
        return -(-min(self.cells, self.window + tokens) // 256) * 256

    def kv_of_layer(self, layer: int) -> int:
        cells = self.window_cells if self.windowed(layer) else self.cells
        return self.settings.parallel * cells * (self.row("k") + self.row("v"))

    def row(self, which: str) -> int:
        """Bytes of one cell's keys or values in one layer."""
        kind = self.settings.type_k if which == "k" else self.settings.type_v
        block, size = _ROW[kind]
        return self.heads_kv * (self.dk if which == "k" else self.dv) * size // block

    def _full_compute(self) -> tuple[int, int]:
        """Compute bytes of a device with every layer, and of the host beside it."""
        s = self.settings
        tokens = min(s.ubatch, s.batch, s.context)
        u, quantised = 4 * tokens, s.type_k != "f16"
        nq, nv = self.heads * self.dk, self.heads_kv * self.dv
        if self.encoder:
            return self._encoder_compute(tokens)
        caches = 2 if self.window else 1
        mask = tokens * (2 if self.flash else 4) * (self.cells + (self.window_cells if self.window else 0))
        index = u * (1 + caches * (2 + (2 if self.flash else 2 * nv)))
        rotation = caches * (4 * self.dk**2 + 4 * 64**2) if quantised and self.flash else 0
        feed = 3 * self.ff + 2 * self.n + nq
        if self.experts_used:
            feed = max(
                3 * self.experts_used * self.expert_ff + 2 * self.n + nq,
                2 * self.experts_used * self.n + 3 * self.n + nq,
            )
        attention = u * (2 * self.n + 2 * nq)
        if not self.flash:
            attention += u * self.heads * self.cells
        elif quantised:
            attention += 2 * self.cells * s.parallel * (self.heads_kv * self.dk + nv)
        return mask + rotation + index + max(u * feed, attention), mask + rotation + index + u * (2 * self.n + 1)

    def _encoder_compute(self, tokens: int) -> tuple[int, int]:
        """The same for an encoder: no cache; nomic's has a gate, and angles in place of a table of positions."""
        u = 4 * tokens
        mask = tokens * tokens * (2 if self.flash else 4)
        gated = self.model.arch == "nomic-bert"
        feed = u * ((3 if gated else 1) * self.ff + 2 * self.n)
        scores = 0 if self.flash else u * (self.heads * tokens + (7 if gated else 5) * self.n)
        return mask + max(feed, scores), mask + u * (2 if gated else 3) * self.n

    def _compute(self, placement: Placement, use: Use) -> None:
        full, host = self._full_compute()
        if not use.devices or not self.settings.main_device:
            use.host.compute = full
            return
        at_host = [t for t in self.model.tensors if t.layer is not None and placement.of(t) == HOST]
        largest = max((tensor.bytes for tensor in at_host), default=0)
        share = 0.95 if any(EXPERTS.search(tensor.name) for tensor in at_host) else 0.5
        busy = [number for number in use.devices if number in placement.layers] or [min(use.devices)]
        copies = len(busy) > 1 and placement.offloaded == len(placement.layers) and not at_host
        tokens = min(self.settings.ubatch, self.settings.batch, self.settings.context)
        mask = tokens * 2 * self.cells
        for number in busy:  # several devices run as a pipeline with four copies of the inputs
            extra = 3 * mask + 16 * tokens * self.n if copies else 0
            use.devices[number].compute = full + extra + int(share * largest)
        use.host.compute = host + (3 * mask if copies else 0)

    def splits(self, placement: Placement) -> str:
        """The figure of the line `graph splits`, as counted in recorded loads."""
        used = {device for device in placement.layers if device != HOST}
        host_layers = sum(device == HOST for device in placement.layers[:-1])
        if not self.settings.main_device:
            return "1"
        if host_layers:
            ngl = placement.offloaded
            return (
                f"{11 * host_layers - 1} (with bs=512), 1 (with bs=1)"
                if ngl == 0
                else f"{11 * host_layers + 2} (with bs=512), 2 (with bs=1)"
            )
        if not self.settings.kv_offload:
            return str(2 * self.layers + 2)
        layers = {t.layer for t in self.model.tensors if t.layer is not None and placement.of(t) == HOST}
        if layers:
            large = 3 * len(layers) + (1 if len(layers) == self.layers else 2)
            return f"{large} (with bs={self.settings.ubatch}), {2 * len(layers) + 2} (with bs=1)"
        return str(1 + len(used))


def split_layers(count: int, free: list[int]) -> tuple[int, ...]:
    """Layers over several devices by their share of the free memory."""
    if len(free) < 2:
        return (0,) * count
    total, layer_share = sum(free), 0.0
    bounds = []
    for part in free:
        layer_share += part
        bounds.append(layer_share / total)
    last = len(free) - 1
    return tuple(next((i for i, bound in enumerate(bounds) if bound > n / count), last) for n in range(count))

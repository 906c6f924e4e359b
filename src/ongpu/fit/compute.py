"""Compute buffers, in bytes: the largest moment of the graph, as ggml's allocator packs it.

`u` is one f32 vector of a micro batch: 4 x tokens bytes. Sums of vectors are named by the tensors that live together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ongpu.fit.cache import state_sizes, window_cells
from ongpu.fit.facts import Facts
from ongpu.fit.settings import Settings

# Head sizes that the CUDA kernels of flash attention take (ggml-cuda/fattn.cu); keys and values of one size.
# How many vectors of the width n live beside a copied cache, and beside a copied matrix of experts.
KV_COPY, EXPERT_COPY = 8, 4
_FLASH_HEADS = frozenset((40, 64, 72, 80, 96, 112, 128, 256, 512))


def flash_used(facts: Facts, settings: Settings) -> bool:
    """Does attention run as flash attention on the GPU?"""
    if settings.flash == "off":
        return False
    if settings.flash == "on":
        return True
    if not any(facts.cached(i) for i in range(facts.layers)) and not facts.arch.encoder:
        return True
    return settings.type_k == settings.type_v and takes_flash(facts)


def takes_flash(facts: Facts) -> bool:
    """Is there a kernel of flash attention for the model's heads?"""
    return facts.mla is not None or (facts.dk == facts.dv and facts.dk in _FLASH_HEADS)


# What a dry run counts more with several devices in a pipeline, in f32 vectors of the width n: (first device, others).
_PIPELINE = {"olmo2": (4.0, 4.0), "nomic-bert": (4.0, 4.0), "bert": (4.0, 4.0), "mamba": (12.0, 24.5)}
_PIPELINE |= {"mamba2": (12.0, 24.5), "rwkv7": (8.0, 18.0)}


@dataclass(slots=True)
class HostParts:
    """Bytes of the largest matrices by kind, and of the largest cache of one layer, that are on the host."""

    dense: dict[str, int] = field(default_factory=dict)
    experts: dict[str, int] = field(default_factory=dict)
    kv: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """Parts of the compute buffers of one model under one set of settings."""

    facts: Facts
    settings: Settings
    flash: bool

    @classmethod
    def of(cls, facts: Facts, settings: Settings, flash_lost: bool = False) -> Work:
        """`flash_lost` = `auto` was turned into off for the whole model, because of where one layer lies."""
        return cls(facts, settings, flash_used(facts, settings) and not (flash_lost and settings.flash == "auto"))

    @property
    def u(self) -> int:
        return 4 * self.settings.tokens

    @property
    def nq(self) -> int:
        return self.facts.heads * self.facts.dk

    @property
    def nk(self) -> int:
        return max(self.facts.kv_heads, default=0) * self.facts.dk

    @property
    def nv(self) -> int:
        return max(self.facts.kv_heads, default=0) * self.facts.dv

    @property
    def ff(self) -> int:
        return max(self.facts.ff, default=0)

    @property
    def caches(self) -> int:
        if self.facts.arch.encoder:
            return 0
        return int(self.facts.has_full) + int(self.facts.has_window)

    def mask(self) -> int:
        size = 2 if self.flash else 4
        tokens = self.settings.tokens
        if self.facts.arch.encoder:
            return tokens * tokens * size
        cells = self.settings.cells if self.facts.has_full else 0
        if self.facts.has_window:
            cells += window_cells(self.facts, self.settings)
        return tokens * size * cells

    def index(self) -> int:
        """Where each token goes in the caches; without flash attention values are scattered one by one."""
        values = 0 if self.facts.mla else 2 if self.flash else 2 * self.nv
        return self.u * (1 + self.caches * (2 + values))

    def rotation(self) -> int:
        """Matrices that rotate keys and values before they are quantised."""
        if not (self.settings.is_quantised and self.flash) or self.facts.arch.encoder:
            return 0
        return self.caches * (4 * self.facts.dk**2 + 4 * 64**2)

    def host(self) -> int:
        """The host's buffer beside a GPU: the inputs."""
        width = 3 if self.facts.arch.encoder and self.facts.arch.feed == "plain" else 2
        inputs = self.u * (width * self.facts.n + 1)
        return self.mask() + self.rotation() + self.index() + inputs

    def inputs(self) -> int:
        return self.mask() + self.rotation() + self.index()

    def device(self, is_first: bool = True) -> int:
        """A device's buffer with every layer on it; `is_first` = its layers begin with attention over the input."""
        if self.attends_on_host:  # neither mask nor cache is needed here, only the attention's result
            return max(self.u * (1 + 2 * 2 * self.caches + self.nq) + self.feed(is_first), self.output())
        return max(self.inputs() + max(self.feed(is_first), self.attention(), self.recurrent()), self.output())

    @property
    def attends_on_host(self) -> bool:
        """Does the CPU compute the attention of layers that are on a GPU: no kernel there for these heads and types?"""
        f, s = self.facts, self.settings
        if f.arch.encoder or not any(f.kv_heads) or takes_flash(f):
            return False
        return s.flash == "on" or (s.flash == "auto" and s.is_quantised)

    def output(self) -> int:
        """The last moment: the inputs are not needed any more."""
        outputs = self.settings.parallel if self.settings.planner.outputs_per_slot else self.settings.tokens
        if self.facts.arch.encoder:
            return 0
        return 4 * (self.facts.vocabulary + self.facts.n) * outputs

    def feed(self, is_first: bool) -> int:
        """The feed-forward block. On a later device of several the queries' memory is not held beside it."""
        n, nq, ff, u = self.facts.n, self.nq if is_first else 0, self.ff, self.u
        if self.facts.is_moe:
            return self._experts(nq)
        if self.facts.arch.state == "short-conv":
            return u * (3 * ff + 2 * n)
        match self.facts.arch.feed:
            case "gated":
                return u * (3 * ff + 2 * n + (0 if self.facts.arch.encoder else nq))
            case "fused":
                return u * (3 * ff + 2 * n)
            case "parallel":
                return u * (3 * ff + 4 * n)
            case "plain":
                return u * (ff + 2 * n)

    def _experts(self, nq: int) -> int:
        f, u = self.facts, self.u
        n, used, fe = f.n, f.experts_used, f.expert_ff
        if f.name in ("qwen3next", "qwen35moe"):
            return u * (2 * used * n + 2 * f.experts)
        if f.name == "granitehybrid":
            return u * (2 * used * n + 2 * n + 2 * f.experts)
        if f.name == "llama4":
            return u * (3 * fe + 4 * n)
        if f.mla:
            return u * max(2 * used * n + 3 * n, 3 * self.ff + 2 * n + f.heads * f.mla[3])
        return max(u * (3 * used * fe + 2 * n + nq), u * (2 * used * n + 3 * n + nq))

    def attention(self) -> int:
        f, u, cells = self.facts, self.u, self.settings.cells
        if not any(f.kv_heads):
            return 0
        if f.mla:
            lora, rope, k_mla, _ = f.mla
            scores = self.flash_copy() if self.flash else u * f.heads * cells
            return u * (3 * f.n + f.heads * (k_mla + lora + rope + f.dk)) + scores
        base = u * (2 * f.n + self._queries())
        if self.flash:
            return base + self.flash_copy()
        if f.arch.encoder:
            more = f.n if f.arch.feed == "plain" else 3 * f.n  # rotated queries and keys, where positions are angles
            return base + u * (more + f.heads * self.settings.tokens)
        refused = self.settings.flash == "auto"
        return base + u * f.heads * cells + (2 * cells * self.nv if refused else 0)

    def _queries(self) -> int:
        """Values per token of the queries, and of the attention's result beside them."""
        if self.facts.arch.feed == "fused":  # queries are a view of the fused product
            return self.nq if self.flash else 0
        return self.nq if self.facts.arch.input_is_residual else 2 * self.nq

    def flash_copy(self) -> int:
        """Quantised keys and values of one layer as f16, for the kernels that want that."""
        if not self.settings.is_quantised or self.facts.arch.encoder:
            return 0
        return 2 * self.settings.cells * self.settings.streams * (self.nk + self.nv)

    def recurrent(self) -> int:
        f, u = self.facts, self.u
        slots = 4 * self.settings.parallel * sum(state_sizes(f))
        if f.arch.state == "mamba":
            _, inner, groups, state, heads = f.ssm
            xbc = inner + 2 * groups * state
            return u * (inner + xbc + heads + 2 * xbc + 2 * inner) + slots
        if f.arch.state == "rwkv":
            return u * (18 * f.n + f.rwkv[2]) + 2 * slots
        return 0

    def copy_share(self) -> float:
        """How much of the largest copied matrix comes on top of the largest moment without copies: a middle value."""
        if self.is_pure:
            return 0.1
        narrow = self.facts.n <= 2048  # the holes are small beside the matrix then
        return 0.9 if self.facts.arch.post_norm or (narrow and self.facts.arch.state == "none") else 0.5

    @property
    def is_pure(self) -> bool:
        """Recurrent, without any attention?"""
        return self.caches == 0 and not self.facts.arch.encoder

    def host_state(self) -> int:
        """What recurrent layers on the host take there beside the inputs: an estimate within a third."""
        if self.facts.arch.state != "mamba":
            return 0
        return int(self.recurrent() * (0.16 if self.facts.arch.recurrent == "interval" else 0.62))

    def pipeline(self, is_first: bool) -> int:
        """Copies of a layer's input for four batches at once, on a device of several."""
        first, others = _PIPELINE.get(self.facts.name, (4.0, 8.0))
        return int((first if is_first else others) * self.u * self.facts.n)

    def copied(self, host: HostParts) -> int:
        """The largest moment where a matrix or a cache of a host layer is copied in.

        ggml's allocator leaves holes of a size that only a simulation would give: an estimate within 15 %.
        """
        f, u = self.facts, self.u
        full = self.device() - self.inputs()
        largest = max(host.dense.values(), default=0)
        if f.arch.border_bug:  # one block per layer; attention of host layers is computed by the CPU
            copy = u * (2 * self.ff + 3 * f.n) if f.arch.state == "short-conv" else full
            return max(full, largest + copy)
        most = full + int(self.copy_share() * largest)
        most = max(most, host.dense.get("down", 0) + u * (self.ff + 4 * f.n))
        most = max(most, host.dense.get("gate", 0) + u * (2 * self.ff + 4 * f.n))
        most = max(most, host.kv + KV_COPY * u * f.n)
        if host.experts:
            wide, out = f.experts_used * f.expert_ff, f.experts_used * f.n
            most = max(most, host.experts.get("down", 0) + u * (wide + out + EXPERT_COPY * f.n))
        return most

"""KV cache and recurrent state of one layer, in bytes (llama.cpp: llama-kv-cache.cpp, llama-memory-recurrent.cpp)."""

from __future__ import annotations

from ongpu.fit.facts import Facts
from ongpu.fit.quant import row_bytes, row_padding
from ongpu.fit.settings import Settings


def window_cells(facts: Facts, settings: Settings) -> int:
    """Cells of a sliding-window cache: the window and a micro batch, in steps of 256."""
    windows = facts.window * (settings.parallel if settings.unified else 1)
    return -(-min(settings.cells, windows + settings.tokens) // 256) * 256


def kv_of_layer(facts: Facts, settings: Settings, layer: int) -> int:
    """Keys and values of one layer; 0 where it holds none."""
    if not facts.cached(layer):
        return 0
    cells = window_cells(facts, settings) if facts.windowed[layer] else settings.cells
    heads = facts.kv_heads[layer]
    if facts.mla:  # the latent vector stands for both; stored as keys
        return settings.streams * cells * row_bytes(settings.type_k, facts.dk)
    keys = _plane(settings.type_k, heads * facts.dk, settings.streams * cells)
    return keys + _plane(settings.type_v, heads * facts.dv, settings.streams * cells)


def _plane(kind: str, values: int, cells: int) -> int:
    return cells * row_bytes(kind, values) + row_padding(kind, values)


def state_of_layer(facts: Facts, settings: Settings, layer: int) -> int:
    """The recurrent state of one layer, f32 for every slot; independent of the context."""
    if not facts.recurrent[layer]:
        return 0
    copies = 1 + settings.planner.checkpoints if facts.arch.recurrent == "interval" else 1
    return 4 * settings.parallel * copies * sum(state_sizes(facts))


def state_sizes(facts: Facts) -> tuple[int, int]:
    """(values of the convolution or shift, values of the state) of one recurrent layer and slot."""
    conv, inner, groups, state, _ = facts.ssm
    match facts.arch.state:
        case "mamba":
            return max(0, conv - 1) * (inner + 2 * groups * state), state * inner
        case "rwkv":
            shift, head, _ = facts.rwkv
            return shift * facts.n, facts.n * head
        case "short-conv":
            return facts.n * max(0, facts.short_conv - 1), 0
        case "none":
            return 0, 0

"""How fast a card could make tokens of a model: performance = capability x parallelism.

Every token reads all weights once, so the memory bandwidth bounds the rate: the memory clock (capability; two transfers
a cycle, as NVML counts it) times the width of the bus (parallelism), over the bytes of the weights. The clock is NVML's
largest memory clock; nvidia-smi does not tell the width, so it comes from the cards' data sheets, by name. llama.cpp
usually reaches 50 to 85 % of this with models that are large for their card; of small ones the launches of each layer
and each token's own overhead take most of the time, which is allowed for. Much less than that is worth a look.
"""

from __future__ import annotations

from dataclasses import dataclass

from ongpu.host.gpu import Gpu, Nvml
from ongpu.host.reading import value_or_none
from ongpu.proof.case import Case

# Bits of the memory bus by whole words of NVML's name; the first that is in it counts, so longer names stand first.
_BUS = (
    *(
        ("H200", 6144),
        ("GH200", 6144),
        ("B200", 8192),
        ("H100 NVL", 6016),
        ("H100", 5120),
        ("H800", 5120),
        ("H20", 6144),
    ),
    *(("A100", 5120), ("A800", 5120), ("A30", 3072), ("V100", 4096), ("P100", 4096)),
    *(
        ("L40S", 384),
        ("L40", 384),
        ("L4", 192),
        ("A40", 384),
        ("A10G", 384),
        ("A10", 384),
        ("A16", 128),
        ("A2", 128),
        ("T4", 256),
    ),
    *(("P40", 384), ("P4", 256), ("M40", 384)),
    *(("RTX 6000 Ada", 384), ("RTX 5000 Ada", 256), ("RTX 4000 Ada", 160), ("RTX 2000 Ada", 128)),
    *(("RTX A6000", 384), ("RTX A5000", 384), ("RTX A4500", 320), ("RTX A4000", 256), ("RTX A2000", 192)),
    *(("RTX 5090", 512), ("RTX 5080", 256), ("RTX 5070 Ti", 256), ("RTX 5070", 192), ("RTX 5060", 128)),
    *(("RTX 4090", 384), ("RTX 4080", 256), ("RTX 4070 Ti SUPER", 256), ("RTX 4070", 192), ("RTX 4060", 128)),
    *(("RTX 3090", 384), ("RTX 3080 Ti", 384), ("RTX 3080", 320), ("RTX 3070", 256), ("RTX 3060 Ti", 256)),
    *(("RTX 3060", 192), ("RTX 3050", 128), ("RTX 2080 Ti", 352), ("RTX 2080", 256), ("RTX 2070", 256)),
    *(("RTX 2060", 192), ("GTX 1660", 192), ("GTX 1650", 128), ("GTX 1080 Ti", 352), ("GTX 1080", 256)),
    *(("GTX 1070", 256), ("GTX 1060", 192), ("GTX 1050", 128)),
)
_NARROWER = (" Laptop ", " Max Q ")  # the same names on other buses
_REACHED = 0.8  # of the bandwidth, by large matrices
_LAYER_SECONDS, _TOKEN_SECONDS = 25e-6, 1e-3
_WORTH_A_LOOK = 0.3


@dataclass(frozen=True, slots=True)
class Roofline:
    """`bytes_per_second` of the slowest card that holds the model; `tokens_per_second`: the most that it allows;
    `attainable`: what a load of this size is likely to reach at best. `how`: the figures behind it."""

    bytes_per_second: float
    tokens_per_second: float
    attainable: float
    how: str


def bandwidth(gpu: Gpu) -> tuple[float, str] | None:
    """Bytes per second, and how it comes about. None where the clock or the card is not known."""
    clock = value_or_none(gpu.performance.max_memory_clock_mhz)
    words = f" {gpu.info.name.replace('-', ' ')} "
    bits = next((bits for name, bits in _BUS if f" {name} " in words), None)
    if any(small in words for small in _NARROWER):
        return None
    if not clock or not bits:
        return None
    rate = 2.0 * clock * 1e6 * bits / 8
    return rate, f"{rate / 1e9:.0f} GB/s = 2 x {clock} MHz x {bits} bit"


def roofline(case: Case, gpus: tuple[int, ...]) -> Roofline | None:
    """None where it cannot be told: cards or weights not known, or experts, of which a token reads only some."""
    weights = _weights(case)
    nvml = value_or_none(case.snapshot.nvml)
    if not weights or not isinstance(nvml, Nvml) or case.asked.shape.experts:
        return None
    cards = [gpu for gpu in value_or_none(nvml.gpus) or () if gpu.info.index in gpus]
    rates = [bandwidth(gpu) for gpu in cards]
    known = [rate for rate in rates if rate]
    if not known or len(known) < len(rates):
        return None
    slowest, how = min(known)
    seconds = weights / slowest
    launches = (case.asked.shape.layers or 32) * _LAYER_SECONDS + _TOKEN_SECONDS
    return Roofline(slowest, 1 / seconds, 1 / (seconds / _REACHED + launches), how)


def advice(case: Case, found: Roofline | None, rate: float | None) -> str:
    """What is worth a look, in one sentence; empty for a good rate, and where the inventory sets its own."""
    if found is None or rate is None or case.declared.min_tokens_per_second is not None:
        return ""
    if rate >= _WORTH_A_LOOK * found.attainable:
        return ""
    return (
        f"{rate:.1f} tokens/s are {100 * rate / found.attainable:.0f} % of what this card is likely to reach "
        f"({found.attainable:.0f}; {found.how}): look for a throttled clock, another program on the GPU, or a busy "
        "CPU; declare min_tokens_per_second to have it judged"
    )


def _weights(case: Case) -> int:
    """Bytes that each token reads: the weights on the GPUs, as the log has them; else the file without its input
    tensors."""
    load = value_or_none(case.load)
    if load is not None and (mib := load.mib("model", cpu=False)):
        return int(mib * 1024 * 1024)
    stored, inputs = value_or_none(case.stored), case.asked.shape.input_bytes
    return max(0, stored.size_bytes - inputs) if stored is not None and inputs is not None else 0

"""Text and speed of the simulated model."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from .fit import Card
from .gguf import Model
from .sizing import EXPERTS, Use

_TEXT = """
the a of and to in is it on for with as that this at by from we can here more one where which time data model
memory layer answer question number value small large first second result example system host process card
driver
"""
_WORDS = _TEXT.split()
# Memory bandwidth in GB/s by a part of the card's name (NVIDIA data sheets)
_BANDWIDTH = (
    ("H200", 4800),
    ("H100 PCIe", 2039),
    ("H100", 3350),
    ("A100", 1935),
    ("L40S", 864),
    ("L40", 864),
    ("L4", 300),
    ("A40", 696),
    ("A10", 600),
    ("T4", 320),
    ("V100", 900),
    ("P40", 347),
    ("A6000", 768),
    ("6000 Ada", 960),
    ("5090", 1792),
    ("4090", 1008),
    ("4080", 717),
    ("4070", 504),
    ("4060 Ti", 288),
    ("4060", 272),
    ("3090", 936),
    ("3080", 760),
    ("3060", 360),
    ("2080", 448),
    ("1080", 320),
    ("GB10", 273),
)
_CPU_BANDWIDTH = 40.0
_EFFICIENCY = 0.7
DEFAULT_TOKENS = 24


@dataclass(frozen=True)
class Speed:
    """Tokens per second for the answer and for reading the prompt."""

    answer: float
    prompt: float


def speed(model: Model, use: Use, cards: list[Card], factor: float) -> Speed:
    """Every weight that a token needs is read once: bytes by bandwidth, device after device."""
    active = _active_share(model)
    seconds = (
        (use.host.model * active + use.host.kv) / (_CPU_BANDWIDTH * 1e9) if use.host.compute or use.host.kv else 0.0
    )
    if any(buffers.model for buffers in use.devices.values()):
        embedding = max((t.bytes for t in model.tensors if t.name == "token_embd.weight"), default=0)
        seconds = (max(0, use.host.model - embedding) * active + use.host.kv) / (_CPU_BANDWIDTH * 1e9)
    for number, card in enumerate(cards):
        seconds += use.devices[number].model * active / (_bandwidth(card.description) * 1e9)
    rate = max(0.05, factor * _EFFICIENCY / max(seconds, 1e-4))
    return Speed(rate, rate * 20)


def _active_share(model: Model) -> float:
    """The share of the weights that one token uses: a MoE reads a few of its experts."""
    experts, used = int(model.get("expert_count", 0)), int(model.get("expert_used_count", 0))
    if not experts:
        return 1.0
    total = sum(tensor.bytes for tensor in model.tensors)
    inside = sum(tensor.bytes for tensor in model.tensors if EXPERTS.search(tensor.name))
    return (total - inside + inside * used / experts) / total


def _bandwidth(description: str) -> float:
    return next((float(value) for part, value in _BANDWIDTH if part in description), 500.0)


def tokens(prompt: str, count: int, seed: int | None, temperature: float) -> list[str]:
    """`count` tokens of text; the same for the same prompt when the temperature is 0 or a seed is given."""
    fixed = temperature == 0 or seed is not None
    source = random.Random(f"{prompt}/{seed}" if fixed else None)
    return [source.choice(_WORDS) if number == 0 else " " + source.choice(_WORDS) for number in range(count)]


def count_tokens(text: str) -> int:
    return 1 + len(re.findall(r"\w+|[^\w\s]", text))

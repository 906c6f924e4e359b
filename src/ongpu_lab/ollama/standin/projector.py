"""The projector of a vision model inside llama-server (clip.cpp): where it lies, what it takes, what it prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import gguf
from .fit import MIB, Card
from .llama_log import say

COMPUTE = int(32.89 * MIB)  # what clip.cpp reports for ViT-L/14 with 336 pixels


@dataclass(frozen=True)
class Projector:
    """`device` is None on the CPU; sizes in bytes."""

    path: Path
    weights: int
    device: str | None

    @property
    def on_device(self) -> int:
        """Bytes on the first GPU."""
        return self.weights + COMPUTE if self.device else 0

    def announce(self) -> None:
        where = self.device or "CPU"
        say(f"clip_ctx: CLIP using {where} backend")
        say(f"load_hparams: model size:         {self.weights / MIB:.2f} MiB")
        say(f"alloc_compute_meta: {where:>10} compute buffer size = {COMPUTE / MIB:8.2f} MiB")
        say(f"srv    load_model: loaded multimodal model, '{self.path}'")


def read(path: str, cards: list[Card], offload: bool) -> Projector | None:
    """The projector that the command line names, on the first GPU if it may. Raises OSError or gguf.NotGguf."""
    if not path:
        return None
    model = gguf.read(Path(path))
    weights = sum(tensor.bytes for tensor in model.tensors)
    return Projector(Path(path), weights, cards[0].name if cards and offload else None)

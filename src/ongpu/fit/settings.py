"""What a model is loaded with, and the planner (llama.cpp build) that it is planned by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from packaging.version import InvalidVersion, Version

from ongpu.fit.quant import is_quantised

Flash = Literal["auto", "on", "off"]
MIB = 1024 * 1024
GIB = 1024 * MIB
MARGIN_BYTES = 1024 * MIB  # llama.cpp's --fit-target


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """A generation of llama.cpp, by what differs in memory.

    `outputs_per_slot`: the output matrix is computed for one token per slot (n_outputs_max), before that for a
    whole micro batch. `is_checked`: the formulas were checked against this generation's own planner. `output_first`:
    the output is the first to lie on a GPU (since https://github.com/ggml-org/llama.cpp/pull/18148), before that the
    last. `checkpoints`: copies of a delta rule's state for each slot (Ollama: model/models/qwen3next/cache.go).
    """

    name: str
    since_ollama: str
    outputs_per_slot: bool
    is_checked: bool
    output_first: bool = True
    checkpoints: int = 0


# Newest first. 0.32.15 pins llama.cpp b10488; the formulas were checked at commit 4df29be4f of the same month.
PLANNERS = (
    Planner(name="llama.cpp b10488", since_ollama="0.32.15", outputs_per_slot=True, is_checked=True),
    Planner(name="llama.cpp b9452", since_ollama="0.30.0", outputs_per_slot=False, is_checked=False),
    Planner(
        name="Ollama's own runner",
        since_ollama="0",
        outputs_per_slot=False,
        is_checked=False,
        output_first=False,
        checkpoints=24,
    ),
)


def planner_of(ollama: str) -> Planner:
    """The planner of an Ollama release; the newest for a version that cannot be read."""
    try:
        version = Version(ollama)
    except InvalidVersion:
        return PLANNERS[0]
    return next(p for p in PLANNERS if version >= Version(p.since_ollama))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`num_ctx` per slot in tokens; `batch` = micro batch. `margin_bytes` must stay free on every GPU."""

    num_ctx: int
    parallel: int = 1
    type_k: str = "f16"
    type_v: str = "f16"
    flash: Flash = "auto"
    batch: int = 512
    margin_bytes: int = MARGIN_BYTES
    unified: bool = False
    peer_copy: bool = True
    planner: Planner = PLANNERS[0]

    @property
    def context(self) -> int:
        """Tokens of all slots together (llama.cpp's -c, padded to 256)."""
        return -(-self.num_ctx * self.parallel // 256) * 256

    @property
    def streams(self) -> int:
        return 1 if self.unified else self.parallel

    @property
    def cells(self) -> int:
        """Cells of a full-attention cache in one stream."""
        return -(-self.context // self.streams // 256) * 256

    @property
    def tokens(self) -> int:
        """Tokens of a micro batch."""
        return min(self.batch, self.context)

    @property
    def is_quantised(self) -> bool:
        return is_quantised(self.type_k) or is_quantised(self.type_v)


def default_context(total_bytes: int) -> int:
    """Ollama's default context by the GPU memory of a host (docs/context-length.mdx; exact limits 23 and 47 GiB)."""
    if total_bytes < 23 * GIB:
        return 4096
    return 32768 if total_bytes < 47 * GIB else 262144


def default_batch(context: int, flash: Flash) -> int:
    """Ollama's default micro batch by the context of all slots, where memory is not short."""
    if flash == "off" or context <= 4096:
        return 512
    return 1024 if context <= 32768 else 2048


def margin_of(environment: Mapping[str, str], projector_bytes: int) -> int:
    """The free memory that fit leaves: LLAMA_ARG_FIT_TARGET in MiB, else 1 GiB, plus the projector's size.

    Source: Ollama's llama-server launch; a value that the user set is left alone, even for a vision model.
    """
    target = environment.get("LLAMA_ARG_FIT_TARGET", "").split(",")[0].strip()
    if target.isascii() and target.isdecimal() and len(target) < 10:
        return int(target) * MIB
    return MARGIN_BYTES + projector_bytes

"""What an Ollama journal says about GPUs and model loads. Sizes in MiB are llama.cpp's own figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

BufferKind = Literal["model", "KV", "compute", "output", "RS"]
Generation = Literal["llama-server", "runner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A line of Ollama's own logger (Go slog). `time` is as logged, or empty."""

    time: str
    level: str
    message: str
    attrs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """An `inference compute` line: a device that the server found at its start, or its CPU fallback.

    `library` in lower case (`cuda`, `rocm`, `vulkan`, `cpu`); `driver` is the CUDA API version (`13.0`), not
    the driver branch; `pci_id` is empty when it is not known. `available_bytes` is free memory at the start.
    """

    id: str
    library: str
    compute: str
    name: str
    libdirs: tuple[str, ...]
    driver: str
    pci_id: str
    total_bytes: int | None
    available_bytes: int | None
    is_cpu: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """One `... buffer size` line. `by` is the function that logged it (`load_tensors`, `sched_reserve`, ...).

    `device` is ggml's buffer type: `CUDA0`, `CPU`, `CPU_Mapped`, `CUDA_Host`, ... `kind` RS = recurrent state.
    """

    device: str
    kind: BufferKind
    mib: float
    by: str

    @property
    def is_host(self) -> bool:
        """Pinned host memory for transfers (`CUDA_Host`): neither a GPU buffer nor work on the CPU."""
        return self.device.endswith("_Host")

    @property
    def is_cpu(self) -> bool:
        """Ollama's own distinction for /api/ps (llm/llama_server.go): `CPU`, `CPU_*`, `BLAS`."""
        return self.device in ("CPU", "BLAS") or (self.device.startswith("CPU_") and not self.is_host)

    @property
    def is_gpu(self) -> bool:
        return not self.is_cpu and not self.is_host


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedDevice:
    """A `using device` line: what the runner saw free on the device when it loaded."""

    device: str
    name: str
    pci_id: str
    free_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One attempt to load a model, as the journal shows it.

    `offloaded` holds every `offloaded n/total` pair (a draft model adds one of its own, after the main one);
    `overflowing` each device's count of layers whose experts lie in RAM, from the fit's last list;
    `graph_splits` every number; `context` is for all `parallel` slots together.
    `complete`: the end of the load was seen. `failed`: the load's failure was seen.
    `interleaved`: another load ran at the same time, so single lines may belong to the other one.
    `seen_start` is False when the beginning of the load is missing from the lines. `suppressed`: journald dropped
    lines during the load or after it (its rate limit), so what is not there may have been said.
    `warnings` and `errors` are the lines' own words.
    """

    generation: Generation
    model_path: str
    port: int | None
    command: str
    offloaded: tuple[tuple[int, int], ...]
    buffers: tuple[Buffer, ...]
    graph_splits: tuple[int, ...]
    overflowing: tuple[tuple[str, int], ...]
    devices: tuple[UsedDevice, ...]
    fit: tuple[str, ...]
    context: int | None
    parallel: int | None
    flash_attention: bool | None
    file_mib: float | None
    vocabulary: int | None
    embedding_length: int | None
    warnings: tuple[str, ...]
    errors: tuple[str, ...]
    complete: bool
    failed: bool
    interleaved: bool
    seen_start: bool
    suppressed: bool

    def mib(self, kind: BufferKind, *, cpu: bool) -> float:
        """Sum of the buffers of one kind on the CPU, or on GPUs (pinned host memory counts for neither)."""
        return sum(b.mib for b in self.buffers if b.kind == kind and (b.is_cpu if cpu else b.is_gpu))

"""What Ollama reads in its runner's output, and the numbers of `/api/ps` made of it (llm/llama_server.go)."""

from __future__ import annotations

import re
import threading

# load_tensors: offloaded 25/25 layers to GPU
_OFFLOADED = re.compile(r"offloaded\s+(\d+)/(\d+)\s+layers to GPU")
# load_tensors:      Vulkan0 model buffer size =   540.63 MiB
_BUFFER = re.compile(r":\s+(\S+)\s+(model|KV|compute|output|RS) buffer size =\s+([\d.]+) MiB")
# common_params_fit_impl:   - Vulkan0 (llvmpipe …): 25 layers (18 overflowing),   1001 MiB used,   1046 MiB free
_OVERFLOW = re.compile(r"\(\s*(\d+) overflowing\)")
# What a runner that ends says about the reason
_ERRORS = (
    "error:",
    "CUDA error",
    "cudaMalloc failed",
    "alloc_tensor_range: failed",
    "llama_init_from_model:",
    "error loading model",
)
_MIB = 1 << 20


class LoadLog:
    """Collects facts while the runner's lines pass by; used by two threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: dict[str, int] = {}
        self._other: dict[tuple[str, str], int] = {}
        self._layers = (0, 0)
        self._overflow = 0
        self.errors: list[str] = []

    def line(self, text: str) -> None:
        with self._lock:
            if found := _OFFLOADED.search(text):
                self._layers = (int(found[1]), int(found[2]))
                self._model, self._other = {}, {}  # a later model of the same runner replaces the numbers
            elif found := _BUFFER.search(text):
                size = int(float(found[3]) * _MIB)
                if found[2] == "model":
                    self._model[found[1]] = self._model.get(found[1], 0) + size
                else:
                    key = (found[1], found[2])
                    self._other[key] = self._other.get(key, 0) + size
            elif found := _OVERFLOW.search(text):
                self._overflow = int(found[1])
            if places := [text.index(word) for word in _ERRORS if word in text]:
                self.errors.append(text[min(places) :].strip())

    def sizes(self, file_size: int) -> tuple[int, int]:
        """`size` and `size_vram`: parsed; the file's size twice if nothing was parsed."""
        with self._lock:
            if not self._model and not self._other:
                return file_size, file_size
            vram = sum(size for device, size in self._model.items() if not _host(device))
            other_vram = sum(size for (device, _), size in self._other.items() if not _host(device))
            weights = sum(self._model.values())
            if vram and "CPU_Mapped" in self._model:  # the mapping counts again what was copied to the GPU
                weights = min(weights, max(file_size, vram))
            total = weights + sum(self._other.values())
            done, whole = self._layers
            if whole and done >= whole and not self._overflow:
                total = vram + other_vram
            return total, vram + other_vram

    def gpu_seen(self) -> bool:
        with self._lock:
            return any(not _host(device) for device in [*self._model, *(device for device, _ in self._other)])


def _host(device: str) -> bool:
    return device in ("CPU", "BLAS") or device.startswith("CPU_") or device.endswith("_Host")

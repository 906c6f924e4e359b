"""The models of the registry against the memory that llama.cpp's own planner gives them (commit 4df29be4f, CUDA rules).

Every figure was printed by the real planner for GGUF files of these shapes, with no weights in them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ongpu_lab.ollama.catalogue import Entry, entries
from ongpu_lab.ollama.standin import fit, gguf
from ongpu_lab.ollama.standin.sizing import Buffers, Settings, Sizer

MIB = 1 << 20
ENTRIES = {f"{entry.model}:{entry.tag}": entry for entry in entries()}


def _read(entry: Entry, tmp_path: Path) -> gguf.Model:
    path = tmp_path / "model"
    path.write_bytes(entry.blob)
    return gguf.read(path)


# model, (context of a slot, slots, batch, cache type) -> MiB of weights, cache and compute with everything on the GPU
FULL = [
    ("llama3.1:8b", (10000, 1, 512, "f16"), 4403.4924, 1280.0, 118.0099),
    ("llama3.1:8b", (131072, 1, 512, "f16"), 4403.4924, 16384.0, 236.0099),
    ("llama3.1:8b", (3000, 1, 512, "f16"), 4403.4924, 384.0, 111.0099),
    ("llama3.1:8b", (32768, 1, 512, "f16"), 4403.4924, 4096.0, 140.0099),
    ("llama3.1:8b", (32768, 1, 1024, "q8_0"), 4403.4924, 2176.0, 280.0978),
    ("qwen3:32b", (32768, 1, 512, "f16"), 18423.6514, 8192.0, 218.0099),
    ("qwen3:32b", (32768, 1, 2048, "f16"), 18423.6514, 8192.0, 872.0392),
    ("qwen3:32b", (8192, 1, 512, "f16"), 18423.6514, 2048.0, 194.0099),
    ("qwen3:32b", (8192, 1, 512, "q4_0"), 18423.6514, 576.0, 194.088),
    ("qwen3:32b", (8192, 1, 512, "q8_0"), 18423.6514, 1088.0, 194.088),
    ("nomic-embed-text:latest", (2048, 1, 512, "f16"), 216.1465, 0.0, 21.5088),
    ("nomic-embed-text:latest", (2048, 1, 512, "q8_0"), 216.1465, 0.0, 21.5088),
    ("nomic-embed-text:latest", (2048, 1, 1024, "f16"), 216.1465, 0.0, 44.0146),
    ("nomic-embed-text:latest", (2048, 4, 512, "f16"), 216.1465, 0.0, 21.5146),
    ("qwen3:30b-a3b", (2048, 1, 512, "f16"), 17524.4316, 192.0, 86.0099),
    ("qwen3:30b-a3b", (3000, 1, 512, "f16"), 17524.4316, 288.0, 87.0099),
    ("qwen3:30b-a3b", (32768, 1, 512, "f16"), 17524.4316, 3072.0, 116.0099),
    ("qwen3:30b-a3b", (32768, 1, 1024, "f16"), 17524.4316, 3072.0, 232.0197),
    ("qwen3:30b-a3b", (4096, 1, 512, "f16"), 17524.4316, 384.0, 88.0099),
    ("llama3.3:70b", (131072, 1, 512, "f16"), 39979.4846, 40960.0, 344.0099),
    ("llama3.3:70b", (32768, 1, 512, "f16"), 39979.4846, 10240.0, 248.0099),
    ("llama3.3:70b", (32768, 1, 1024, "q8_0"), 39979.4846, 5440.0, 496.0978),
    ("llama3.3:70b", (32768, 1, 2048, "f16"), 39979.4846, 10240.0, 992.0392),
    ("llama3.3:70b", (4096, 1, 512, "f16"), 39979.4846, 1280.0, 220.0099),
    ("mxbai-embed-large:latest", (512, 1, 512, "f16"), 577.2266, 0.0, 12.506),
    ("mxbai-embed-large:latest", (512, 1, 512, "q8_0"), 577.2266, 0.0, 12.506),
    ("mxbai-embed-large:latest", (512, 1, 1024, "f16"), 577.2266, 0.0, 12.506),
    ("mxbai-embed-large:latest", (512, 4, 512, "f16"), 577.2266, 0.0, 12.506),
]
# The same with so few MiB free that not everything fits -> layers, MiB of weights on the GPU
PARTIAL = [
    ("llama3.1:8b", (32768, 1, 1024, "f16"), 7819, "25/33", 3390),
    ("llama3.1:8b", (8192, 1, 512, "f16"), 4135, "17/33", 2407),
    ("llama3.1:8b", (8192, 1, 512, "f16"), 5306, "24/33", 3273),
    ("qwen3:32b", (8192, 1, 512, "f16"), 11700, "32/65", 9255),
    ("qwen3:32b", (8192, 1, 512, "f16"), 12628, "35/65", 10073),
    ("qwen3:32b", (8192, 1, 512, "f16"), 15700, "45/65", 12789),
    ("qwen3:30b-a3b", (32768, 1, 1024, "f16"), 15888, "49/49", 11413),
    ("qwen3:30b-a3b", (32768, 1, 1024, "f16"), 19922, "49/49", 15390),
    ("qwen3:30b-a3b", (32768, 1, 1024, "f16"), 5801, "49/49", 1265),
    ("llama3.3:70b", (8192, 1, 512, "f16"), 15514, "26/81", 13206),
    ("llama3.3:70b", (8192, 1, 512, "f16"), 15700, "26/81", 13206),
    ("llama3.3:70b", (8192, 1, 512, "f16"), 23700, "42/81", 20920),
    ("mxbai-embed-large:latest", (512, 1, 512, "f16"), 1547, "21/25", 481),
]


def _placed(name: str, settings: tuple[int, int, int, str], free: int, tmp_path: Path) -> tuple[str, Buffers]:
    context, parallel, batch, kind = settings
    sizer = Sizer(
        _read(ENTRIES[name], tmp_path),
        Settings(context * parallel, parallel=parallel, batch=batch, ubatch=batch, type_k=kind, type_v=kind),
    )
    cards = [fit.Card("CUDA0", "card", "", free * MIB, free * MIB)]
    placement = fit.place(sizer, cards, fit.Wish(None, None, (1024,)), lambda line: None)
    return f"{placement.offloaded}/{len(placement.layers)}", sizer.use(placement, 1).devices[0]


@pytest.mark.parametrize(("name", "settings", "weights", "cache", "compute"), FULL)
def test_memory_with_everything_on_the_gpu(
    name: str, settings: tuple[int, int, int, str], weights: float, cache: float, compute: float, tmp_path: Path
) -> None:
    layers, device = _placed(name, settings, 900_000, tmp_path)
    done, whole = layers.split("/")
    assert done == whole
    assert device.model / MIB == pytest.approx(weights, abs=0.05)
    assert device.kv / MIB == pytest.approx(cache, abs=0.05)
    assert device.compute / MIB == pytest.approx(compute, abs=0.1)


@pytest.mark.parametrize(("name", "settings", "free", "layers", "weights"), PARTIAL)
def test_what_stays_off_a_small_gpu(
    name: str, settings: tuple[int, int, int, str], free: int, layers: str, weights: int, tmp_path: Path
) -> None:
    """Within one layer: compute buffers of partial offloads are estimates, a mixture's border layer may be split."""
    ours, device = _placed(name, settings, free, tmp_path)
    (done, whole), (expected, same) = ours.split("/"), layers.split("/")
    assert whole == same
    assert abs(int(done) - int(expected)) <= 1
    largest = max(
        sum(t.bytes for t in _read(ENTRIES[name], tmp_path).tensors if t.layer == n) for n in range(int(whole) - 1)
    )
    assert abs(device.model - weights * MIB) <= largest + MIB


# Bytes as the public registry lists the models, which have other texts beside the weights
LISTED = {
    "llama3.2:1b": 1.3e9,
    "llama3.2:3b": 2.0e9,
    "llama3.1:8b": 4.9e9,
    "llama3.3:70b": 42.5e9,
    "qwen3:8b": 5.2e9,
    "qwen3:32b": 20e9,
    "qwen3:30b-a3b": 18.6e9,
    "nomic-embed-text:latest": 274e6,
    "mxbai-embed-large:latest": 670e6,
    "llava:7b": 4.1e9,
}


@pytest.mark.parametrize("name", LISTED)
def test_size_of_the_file(name: str, tmp_path: Path) -> None:
    assert _read(ENTRIES[name], tmp_path).file_size == pytest.approx(LISTED[name], rel=0.04)


def test_blobs_are_small() -> None:
    assert all(len(entry.blob) + len(entry.projector) < 100_000 for entry in ENTRIES.values())

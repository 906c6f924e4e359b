from __future__ import annotations

from dataclasses import replace

import pytest

from ongpu.host.reading import Known
from ongpu.host.snapshot import HostSnapshot
from ongpu.host.vram import splits
from tests.proof.scenes import BLIND, MIB, UUID, Scene, gpu, nvml, recorded

OTHER = UUID.replace("0000", "9999", 1)


def on_two_gpus(scene: Scene, *, named: bool = True) -> HostSnapshot:
    """The scene on two GPUs; `named`: llama.cpp knows their PCI addresses, as it does with CUDA."""
    lines = scene.lines
    if named:
        for index in (0, 1):
            lines = tuple(
                line.replace("(unknown id)", f"(0000:0{index + 1}:00.0)")
                if f"using device CUDA{index} " in line
                else line
                for line in lines
            )
    both = nvml((gpu(0, UUID, 0), gpu(1, OTHER, 0)), ())
    return scene.but(lines=lines, nvml=Known(both, "nvidia-smi")).snapshot()


def test_weights_kv_cache_and_compute_buffers_of_a_model() -> None:
    scene = recorded("num-parallel-4")
    (split,) = splits(scene.snapshot()).values()
    assert split.weights_bytes > split.compute_bytes > 0
    assert split.kv_bytes > 0


def test_a_model_on_two_gpus_is_split_by_pci_address() -> None:
    found = splits(on_two_gpus(recorded("two-gpus-sched-spread")))
    first, second = found[UUID], found[OTHER]
    assert (first.weights_bytes, first.kv_bytes) == (int(292.60 * MIB), 208 * MIB)
    assert (second.weights_bytes, second.kv_bytes) == (int(248.03 * MIB), 176 * MIB)
    assert first.compute_bytes == second.compute_bytes == int(121.08 * MIB)


def test_devices_that_cannot_be_told_apart_have_no_figures() -> None:
    assert splits(on_two_gpus(recorded("two-gpus-sched-spread"), named=False)) == {}


def test_without_a_loaded_model_nothing_is_held() -> None:
    (split,) = splits(recorded("num-parallel-4").but(running=False).snapshot()).values()
    assert (split.weights_bytes, split.kv_bytes, split.compute_bytes) == (0, 0, 0)


@pytest.mark.parametrize("blind", ["service", "journal", "nvml"])
def test_what_was_not_read_has_no_figures(blind: str) -> None:
    assert splits(replace(recorded("num-parallel-4").snapshot(), **{blind: BLIND})) == {}


def test_a_load_that_was_not_seen_whole_has_no_figures() -> None:
    scene = recorded("num-parallel-4")
    half = scene.lines[: max(n for n, line in enumerate(scene.lines) if "compute buffer size" in line)]
    assert splits(scene.but(lines=half).snapshot()) == {}

"""The driver's account: what it confirms, what it objects to, and when it cannot tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ongpu.host.gpu import GpuProcess, Nvml
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.proof.case import Asked, Shape
from ongpu.proof.judge import judge
from ongpu.proof.witness import Statement
from ongpu.proof.witnesses.driver import WITNESS
from tests.proof.scenes import MIB, PID, UUID, Scene, gpu, nvml, recorded

OTHER = "GPU-99999999-1111-2222-3333-444444444444"
SCENE = recorded("second-model-does-not-fit")  # 953 MiB
SIZE = SCENE.loaded[0].size_bytes


def says(scene: Scene) -> Statement:
    return WITNESS.testify(scene.case())


def held(mib: float) -> Known[int]:
    return Known(int(mib * MIB), "nvidia-smi")


def seen(*processes: tuple[int, str, Reading[int]], used: int = 0) -> Nvml:
    told = tuple(GpuProcess(pid=pid, name="x", gpu_uuid=uuid, used_bytes=size) for pid, uuid, size in processes)
    return nvml((gpu(0, UUID, used), gpu(1, OTHER, 0)), told)


@pytest.mark.parametrize(
    ("mib", "said"),
    [
        (SIZE / MIB + 180, "yes"),
        (5000, "yes"),
        (SIZE / MIB, "silent"),
        (SIZE / MIB * 0.97, "no"),
        (200, "no"),
        (0, "no"),
    ],
)
def test_memory_against_size(mib: float, said: str) -> None:
    assert says(SCENE.but(held=held(mib)))[0] == said


def test_the_words_have_both_numbers() -> None:
    said, why, evidence = says(SCENE.but(held=held(400)))
    assert (said, why) == ("no", f"process {PID} holds only 400 MiB on GPU 0, its model takes 953 MiB")
    assert evidence[0].line == f"{PID}, {UUID}, 400 MiB, llama-server"


def test_memory_on_several_gpus_is_one_sum() -> None:
    both = seen((PID, UUID, held(900)), (PID, OTHER, held(1400)))
    said, why, _ = says(SCENE.but(nvml=Known(both, "nvidia-smi")))
    assert (said, why) == ("yes", f"process {PID} holds 2.2 GiB on GPU 0, 1, its model takes 953 MiB")
    assert judge(SCENE.but(nvml=Known(both, "nvidia-smi")).case()).gpus == (0, 1)


def test_the_weights_must_be_there_whatever_size_the_api_repeats() -> None:
    """The API's size is the GPU's part alone when experts are hidden in RAM."""
    asked = Asked(outcome="resident", blob=SCENE.asked.blob, shape=Shape(input_bytes=100 * MIB, layers=25))
    scene = SCENE.but(asked=asked, file_bytes=2000 * MIB)
    said, why, _ = says(scene.but(held=held(1500)))
    assert said == "no"
    assert "its weights alone are 1.9 GiB" in why
    assert says(scene.but(held=held(2200)))[0] == "yes"


def test_a_process_that_is_not_on_any_gpu() -> None:
    others = seen((9999, UUID, held(4000)), used=4000 * MIB)
    assert says(SCENE.but(nvml=Known(others, "nvidia-smi")))[:2] == (
        "no",
        f"process {PID} is on no GPU",
    )
    nobody = seen(used=100 * MIB)
    assert says(SCENE.but(nvml=Known(nobody, "nvidia-smi")))[0] == "no"


def test_a_hidden_process_namespace_is_not_an_empty_gpu() -> None:
    said, why, _ = says(SCENE.but(nvml=Known(seen(used=4000 * MIB), "nvidia-smi")))
    assert said == "silent"
    assert "a container, or another process namespace" in why


@pytest.mark.parametrize("used", [Absent("nvidia-smi: [N/A]"), Unreadable("nvidia-smi: [Unknown Error]")])
def test_no_figure_is_no_testimony(used: Reading[int]) -> None:
    said, why, _ = says(SCENE.but(nvml=Known(seen((PID, UUID, used)), "nvidia-smi")))
    assert said == "silent"
    assert "its memory is not told (nvidia-smi: [" in why


def test_mig_is_named_where_it_is_why_no_memory_is_told() -> None:
    told = seen((PID, UUID, Absent("nvidia-smi: [N/A]")))
    assert isinstance(told.gpus, Known)
    cards = tuple(replace(card, info=replace(card.info, mig=Known(True, "nvidia-smi"))) for card in told.gpus.value)
    _, why, _ = says(SCENE.but(nvml=Known(replace(told, gpus=Known(cards, "nvidia-smi")), "nvidia-smi")))
    assert why.endswith("MIG is on: there the driver never tells it")


@pytest.mark.parametrize(
    ("gpus", "said"),
    [
        ((), "yes"),
        ((UUID,), "yes"),
        (("0000:01:00.0",), "yes"),
        ((OTHER,), "no"),
        (("02:00.0",), "no"),
        (("MIG-1",), "yes"),
    ],
)
def test_only_declared_gpus_count(gpus: tuple[str, ...], said: str) -> None:
    assert says(SCENE.but(declared=replace(SCENE.declared, gpus=gpus)))[0] == said


@pytest.mark.parametrize(
    ("change", "said", "words"),
    [
        ({"nvml": Unreadable("nvidia-smi gave no answer", "dmesg")}, "silent", "gave no answer; to allow it: dmesg"),
        ({"nvml": Absent("nvidia-smi is not installed")}, "silent", "not installed"),
        ({"nvml": Known(nvml((), ()), "nvidia-smi")}, "no", "the driver sees no GPU"),
        ({"running": False}, "no", "no runner process"),
        ({"running": False, "loaded": ()}, "silent", "it is not loaded"),
    ],
)
def test_what_is_missing(change: dict[str, Any], said: str, words: str) -> None:
    statement = says(SCENE.but(**change))
    assert statement[0] == said
    assert words in statement[1]

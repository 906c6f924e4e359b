"""The memory bandwidth of a card, and what a measured rate is worth beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ongpu.host.gpu import Gpu, Nvml
from ongpu.host.reading import Known
from ongpu.proof.case import Declared, Generation
from ongpu.proof.judge import judge
from ongpu.proof.roofline import bandwidth
from tests.proof.scenes import MIB, UUID, Scene, gpu, nvml, recorded

RECORDED = "two-gpus-sched-spread"  # a model of 1.3 GiB of weights, larger than a CUDA context


def card(name: str, clock: int) -> Gpu:
    made = gpu(0, UUID, 0)
    performance = replace(made.performance, max_memory_clock_mhz=Known(clock, "nvidia-smi"))
    return replace(made, info=replace(made.info, name=name), performance=performance)


# Names and clocks as NVML tells them; GB/s from the data sheets.
@pytest.mark.parametrize(
    ("name", "clock", "sheet"),
    [
        ("NVIDIA H100 80GB HBM3", 2619, 3350),
        ("NVIDIA H200", 3201, 4800),
        ("NVIDIA A100-SXM4-80GB", 1593, 2039),
        ("NVIDIA A100-SXM4-40GB", 1215, 1555),
        ("NVIDIA L40S", 9001, 864),
        ("NVIDIA L4", 6251, 300),
        ("Tesla T4", 5001, 320),
        ("Tesla V100-SXM2-16GB", 877, 900),
        ("NVIDIA RTX A4000", 7001, 448),
        ("NVIDIA GeForce RTX 5090", 14001, 1792),
        ("NVIDIA GeForce RTX 4090", 10501, 1008),
        ("NVIDIA GeForce RTX 4060", 8501, 272),
        ("NVIDIA GeForce RTX 3090", 9751, 936),
        ("NVIDIA GeForce GTX 1080", 5005, 320),
    ],
)
def test_the_bandwidth_of_a_card_is_its_data_sheets(name: str, clock: int, sheet: int) -> None:
    found = bandwidth(card(name, clock))
    assert found
    assert found[0] / 1e9 == pytest.approx(sheet, rel=0.03)
    assert found[1].endswith(" bit")


@pytest.mark.parametrize("name", ["NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA T400", "Quadro P4000", "a new card"])
def test_of_a_card_that_is_not_known_nothing_is_said(name: str) -> None:
    assert bandwidth(card(name, 9001)) is None
    assert bandwidth(gpu(0, UUID, 0)) is None, "nor without its clock"


def scene(rate: float, least: float | None = None, experts: int = 0) -> Scene:
    made = recorded(RECORDED)
    assert isinstance(made.held, Known)
    driver = made.snapshot().nvml
    assert isinstance(driver, Known)
    assert isinstance(driver.value, Nvml)
    assert isinstance(driver.value.processes, Known)
    seen = nvml((card("NVIDIA GeForce RTX 4060", 8501),), driver.value.processes.value)
    generation = Generation(tokens=32, nanoseconds=int(32e9 / rate), prompt_tokens=17, prompt_nanoseconds=20_000_000)
    asked = replace(made.asked, generation=generation, shape=replace(made.asked.shape, experts=experts))
    declared = Declared(host="gpu1", name=made.name, min_tokens_per_second=least)
    return made.but(nvml=Known(seen, "nvidia-smi"), asked=asked, declared=declared)


def test_a_rate_far_below_what_the_card_can_is_worth_a_look() -> None:
    slow, good = judge(scene(20).case()), judge(scene(120).case())
    assert (slow.verdict, good.verdict) == ("verified", "verified")
    assert slow.roofline_tokens_per_second == good.roofline_tokens_per_second
    assert slow.roofline_tokens_per_second
    assert slow.roofline_tokens_per_second > 120
    assert slow.prompt_tokens_per_second == pytest.approx(850)
    assert slow.advice.startswith("20.0 tokens/s are ")
    assert "272 GB/s = 2 x 8501 MHz x 128 bit" in slow.advice
    assert good.advice == ""


def test_where_the_inventory_sets_a_speed_that_is_what_counts() -> None:
    assert judge(scene(20, least=10).case()).advice == ""


def test_of_experts_a_token_reads_only_some() -> None:
    assert judge(scene(20, experts=8).case()).roofline_tokens_per_second is None


def test_a_model_that_no_card_is_known_to_hold_has_no_roofline() -> None:
    assert judge(scene(20).but(nvml=None, held=Known(5 * MIB, "nvidia-smi")).case()).advice == ""

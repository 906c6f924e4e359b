"""The formulas against llama.cpp's own planner, at least one case per kind of architecture."""

from __future__ import annotations

from typing import Any

import pytest

from ongpu.fit.search import Search
from ongpu.fit.settings import MIB
from tests.fit.planner import cases, free, planner, sizer

# What is known to be off by more than 1 %: the allocator's holes, kernels that need less.
LOOSE = {
    "deepseek-v2-lite-old.Q4_K_M": 0.03,
    "falcon-h1-7b.Q4_K_M": 0.05,
    "nemotron-nano-9b-v2.Q4_K_M": 0.05,
    "granite4-h-tiny.Q4_K_M": 0.07,
    "qwen3-next-80b-a3b.Q4_K_M": 0.05,
}


def identify(case: dict[str, Any]) -> str:
    return str(case["id"])


def test_every_recorded_architecture_has_a_case() -> None:
    names = {model["metadata"]["general.architecture"] for model in planner()["models"].values()}
    assert len(names) >= 18
    assert len({case["model"] for case in cases("full")}) >= 28


@pytest.mark.parametrize("case", cases("full", "np", "kv", "faoff"), ids=identify)
def test_everything_on_one_device(case: dict[str, Any]) -> None:
    one = sizer(case)
    search = Search(one, free(case))
    placement = search.run()
    assert placement.is_complete
    (device,), host = one.use(placement)
    recorded = case["devices"][0]
    assert abs(device.weights - recorded["model"]) < 0.1 * MIB
    assert abs(device.kv + device.state - recorded["context"]) < 0.1 * MIB
    assert abs(host.weights - case["host"]["model"]) < 0.1 * MIB
    assert host.kv == host.state == 0
    assert device.compute == pytest.approx(recorded["compute"], rel=LOOSE.get(case["model"], 0.01))


@pytest.mark.parametrize("case", cases("two"), ids=identify)
def test_two_unequal_devices(case: dict[str, Any]) -> None:
    one = sizer(case)
    placement = Search(one, free(case)).run()
    assert placement.on_device == case["offloaded"][0]
    assert placement.is_complete
    for device, recorded in zip(one.use(placement)[0], case["devices"], strict=True):
        assert abs(device.weights - recorded["model"]) < 0.1 * MIB
        assert abs(device.kv + device.state - recorded["context"]) < 0.1 * MIB
        assert device.compute == pytest.approx(recorded["compute"], rel=0.06)


@pytest.mark.parametrize("case", cases("part"), ids=identify)
def test_not_everything_fits(case: dict[str, Any]) -> None:
    one = sizer(case)
    placement = Search(one, free(case)).run()
    assert not placement.is_complete
    assert abs(placement.on_device - case["offloaded"][0]) <= 1
    assert abs(len(placement.moved) - case["experts_elsewhere"]) <= 1
    used = [device.total for device in one.use(placement)[0]]
    assert all(size <= room - 1024 * MIB for size, room in zip(used, free(case), strict=True))

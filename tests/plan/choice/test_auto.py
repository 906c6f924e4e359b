"""`branch: auto`, and GPUs that are not in the table."""

from __future__ import annotations

import pytest

from ongpu.plan.choice import auto_branch, choose, remarks
from ongpu.plan.choice.chips import identify
from ongpu.plan.choice.toolkit import objection, reservation
from ongpu.plan.context import Halt
from tests.plan.builders import blank_host, configured_host, planned, spec
from tests.plan.choice.cards import gpu, gpus

AUTO = spec(driver={"branch": "auto"})


@pytest.mark.parametrize(
    ("names", "present", "branch"),
    [
        (["T4"], "", "580"),
        (["V100"], "", "580"),
        (["RTX 5090"], "", "580"),
        (["T4"], "595.71.05", "595"),  # what is there stays if it will do
        (["T4"], "570.195.03", "570"),
        (["T4"], "535.309.01", "580"),  # too old for Ollama
        (["V100"], "595.71.05", "580"),  # no longer drives it
        (["B300"], "570.195.03", "580"),
    ],
)
def test_the_branch_that_is_there_or_the_one_supported_longest(names: list[str], present: str, branch: str) -> None:
    assert auto_branch(gpus(*names), "auto", "0.32.15", present) == branch


def test_no_branch_will_do() -> None:
    with pytest.raises(Halt) as caught:
        auto_branch(gpus("V100", "B200"), "auto", "0.32.15", "")
    assert "no driver drives" in caught.value.why


def test_the_plan_means_the_chosen_branch_everywhere() -> None:
    (change,) = planned(blank_host(), AUTO).of("repository").changes
    assert "pin to 580" in change.summary
    assert planned(configured_host(), AUTO).empty
    assert planned(configured_host(spec(driver={"branch": "590"})), AUTO).empty, "a working driver is not moved"


def test_the_plan_says_why_there_is_no_branch() -> None:
    (blocked,) = planned(blank_host(gpus=gpus("V100", "B200")), AUTO).of("repository").blocked
    assert (blocked.kind, "no driver drives" in blocked.why) == ("unsupported", True)


def test_an_unknown_gpu_is_taken_for_what_is_safe_and_that_is_said() -> None:
    newer = (gpu("0x3fff"),)
    assert choose(newer, "595", "auto", "0.32.15") == "open"
    assert remarks(newer) == (
        "GPU 0000:01:00.0 (0x3fff): newer than ongpu's list of GPUs, so it gets the open kernel modules",
    )
    with pytest.raises(Halt) as caught:
        choose(newer, "570", "auto", "0.32.15")
    assert "needs driver branch 580" in caught.value.why
    with pytest.raises(Halt) as caught:
        auto_branch(newer, "auto", "0.32.15", "")
    assert "declare driver.branch" in caught.value.why
    assert remarks(gpus("T4")) == ()
    between = (gpu("0x2881"),)
    assert choose(between, "580", "auto") == "open"
    assert "taken for Ada" in remarks(between)[0]


def test_one_between_two_generations_needs_a_word() -> None:
    gap = (gpu("0x203d"),)
    with pytest.raises(Halt) as caught:
        choose(gap, "580", "auto")
    assert "declare driver.modules" in caught.value.why
    assert choose(gap, "580", "proprietary") == "proprietary"


def test_the_plan_tells_of_it() -> None:
    host = blank_host(gpus=(gpu("0x2881"),))
    for change in planned(host).of("repository").changes:
        host.apply(change)
    (change,) = planned(host).of("driver").changes
    assert "0x2881): not in ongpu's list of GPUs, taken for Ada" in change.summary


@pytest.mark.parametrize(
    ("toolkit", "driver", "name", "says"),
    [
        ("11.8", "450", "T4", ""),
        ("11.8", "450.51.06", "T4", "needs driver 450.80.02"),
        ("12.4", "470", "T4", "needs driver 525.60.13"),
        ("12.4", "535", "T4", ""),
        ("13.0", "570", "T4", "needs driver 580.65.06"),
        ("13.0", "580.65.06", "T4", ""),
        ("13.0.1", "580", "V100", "CUDA 12.x was the last toolkit"),
        ("12.9", "580", "GTX 1080 Ti", ""),
        ("12.4", "580", "RTX 5090", "CUDA 12.8 was the first toolkit"),
        ("12.8", "580", "B200", ""),
        ("12.0", "470", "K80", "needs driver"),
        ("11.8", "470", "K80", ""),
        ("12.0", "535", "K80", "CUDA 11.x was the last toolkit"),
        ("14.0", "700", "T4", "does not know CUDA toolkit 14.0"),
    ],
)
def test_toolkit_and_driver(toolkit: str, driver: str, name: str, says: str) -> None:
    found = objection(toolkit, driver, [identify(gpu(name))])
    assert says in found
    assert bool(found) == bool(says)


@pytest.mark.parametrize(
    ("toolkit", "driver", "reserved"),
    [
        ("11.8", "470", "520.61.05"),
        ("12.0", "525", ""),
        ("12.1", "525", "530.30.02"),
        ("12.2", "525", "535.54.03"),
        ("12.3", "535", "545.23.06"),
        ("12.4", "535", "550.54.14"),
        ("12.4.1", "550", ""),
        ("12.8", "550", "570"),
        ("12.9", "570", "575"),
        ("13.0", "580.65.06", ""),
        ("13.2", "580", "595.45.04"),
        ("13.2", "595", ""),
    ],
)
def test_what_a_newer_toolkit_cannot_do_with_an_older_driver(toolkit: str, driver: str, reserved: str) -> None:
    found = reservation(toolkit, driver)
    assert reserved in found
    assert bool(found) == bool(reserved)

"""Several models side by side on the GPUs of a host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ongpu.fit.description import Description, of_model_info
from ongpu.fit.predict import CONTEXT_BYTES, Device
from ongpu.fit.settings import GIB, MIB
from ongpu.fit.target import Target
from ongpu.fit.together import Outlook, Wanted, outlook
from ongpu.fit.words import forecast, refusal
from tests.fit.planner import model_info


@pytest.fixture(scope="module")
def llama() -> Description:
    """4.4 GiB of weights; with 8192 tokens of context about 6 GiB, and 1 GiB that must stay free."""
    return of_model_info("llama3.1:8b", model_info("llama3.1-8b.Q4_K_M"))


def target(*free_gib: float, **environment: str) -> Target:
    devices = tuple(Device(f"GPU {i} X", int(gib * GIB), CONTEXT_BYTES) for i, gib in enumerate(free_gib))
    total = sum(device.free_bytes for device in devices)
    settings = {"OLLAMA_CONTEXT_LENGTH": "8192", **environment}
    return Target(devices=devices, total_bytes=total, environment=settings, picks_one=True)


def of(found: Outlook) -> tuple[str, bool]:
    return found.word, found.alone


def test_one_model(llama: Description) -> None:
    found = outlook([Wanted(llama)], target(7.6))
    assert found.word == "fits"
    assert forecast(found, "llama3.1:8b").endswith("free are 7.6 GiB on GPU 0: fits")
    assert forecast(found, "other") == ""


def test_one_that_never_fits_says_what_it_needs_and_what_would_help(llama: Description) -> None:
    found = outlook([Wanted(llama)], target(5))
    assert of(found) == ("never", False)
    words = refusal(found)
    assert words.startswith("llama3.1:8b cannot lie fully on the GPU: it needs 7.0 GiB (weights 4.3, KV cache 1.0, ")
    assert "free are 5.0 GiB on GPU 0 (" in words
    assert "of 33 layers would)" in words
    assert "it would fit with" in words


def test_two_that_fit_only_one_at_a_time(llama: Description) -> None:
    both = [Wanted(llama), Wanted(replace(llama, name="b"))]
    found = outlook(both, target(8))
    assert of(found) == ("never", True)
    assert "beside llama3.1:8b (6.0 GiB); alone it fits" in refusal(found)
    assert outlook(both, target(8, OLLAMA_MAX_LOADED_MODELS="1")).word == "fits"
    assert outlook(both, target(14)).word == "fits"
    assert outlook(both, target(7.6, 7.6)).word == "fits", "one on each GPU"


def test_the_largest_are_what_must_fit_where_few_are_resident(llama: Description) -> None:
    small = Wanted(replace(llama, name="small"), num_ctx=512)
    found = outlook([small, Wanted(llama)], target(6.2, OLLAMA_MAX_LOADED_MODELS="1"))
    assert found.first_bad
    assert found.first_bad.description.name == "llama3.1:8b"


def test_within_the_error_nothing_is_refused(llama: Description) -> None:
    """Somewhere between `fits` and `never` the prediction cannot tell: there it says so."""
    words = [outlook([Wanted(llama)], target(mib / 1024)).word for mib in range(6600, 7600, 20)]
    assert words == sorted(words, key=["never", "doubtful", "fits"].index)
    doubtful = words.count("doubtful") * 20 * MIB
    assert 100 * MIB < doubtful < 600 * MIB


def test_a_context_of_its_own_beats_the_services(llama: Description) -> None:
    assert outlook([Wanted(llama, num_ctx=65536)], target(8)).word == "never"
    assert outlook([Wanted(llama, num_ctx=512)], target(6.2)).word == "fits"

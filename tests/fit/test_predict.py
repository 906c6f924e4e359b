"""Predictions: verdicts, largest context, advice, error bars, several devices."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.fit.advice import Occupied, advise
from ongpu.fit.description import Description, of_model_info
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.predict import CONTEXT_BYTES, Device, choose, largest_context, predict
from ongpu.fit.record import model_record
from ongpu.fit.settings import MIB, PLANNERS, Settings, default_batch, default_context, margin_of, planner_of
from tests.fit.planner import cases, model_info

PLAIN = Settings(num_ctx=8192)


@cache
def llama() -> Description:
    return of_model_info("llama3.1:8b", model_info("llama3.1-8b.Q4_K_M"))


@cache
def moe() -> Description:
    return of_model_info("qwen3:30b", model_info("qwen3-30b-a3b.Q4_K_M"))


def gpus(*free: int) -> list[Device]:
    return [Device(f"GPU {i}", mib * MIB) for i, mib in enumerate(free)]


def test_the_border_of_fitting_is_the_margin() -> None:
    need = predict(llama(), PLAIN, gpus(80_000)).needed // MIB
    assert predict(llama(), PLAIN, gpus(need + 1025)).fits
    short = predict(llama(), PLAIN, gpus(need + 1023))
    assert not short.fits
    assert 0 < short.placement.on_device < short.layers_total


def test_no_gpu_is_no_fit() -> None:
    nothing = predict(llama(), PLAIN, [])
    assert not nothing.fits
    assert nothing.placement.on_device == 0
    assert nothing.host.bytes.weights > 4000 * MIB
    full = predict(llama(), PLAIN, gpus(0))
    assert not full.fits
    assert full.placement.on_device == 0


def test_the_drivers_context_is_taken_from_what_is_free() -> None:
    need = predict(llama(), PLAIN, gpus(80_000)).needed
    free = need + 1100 * MIB
    assert predict(llama(), PLAIN, [Device("a", free)]).fits
    assert not predict(llama(), PLAIN, [Device("a", free, CONTEXT_BYTES)]).fits
    assert predict(llama(), PLAIN, [Device("a", free + CONTEXT_BYTES, CONTEXT_BYTES)]).fits


def test_an_overflow_of_experts_is_no_fit_though_all_layers_count() -> None:
    found = predict(moe(), PLAIN, gpus(12_000))
    assert found.placement.on_device == found.layers_total
    assert found.overflowing > 10
    assert not found.fits
    assert found.host.bytes.weights > 5000 * MIB


def test_largest_context_is_the_largest() -> None:
    devices = gpus(8000)
    largest = largest_context(llama(), PLAIN, devices)
    assert largest % 256 == 0
    assert predict(llama(), replace(PLAIN, num_ctx=largest), devices).fits
    assert not predict(llama(), replace(PLAIN, num_ctx=largest + 256), devices).fits
    assert largest_context(llama(), PLAIN, gpus(80_000)) == 131072
    assert largest_context(llama(), PLAIN, gpus(2000)) == 0


def test_advice_says_what_is_enough_first_and_keeps_its_word() -> None:
    devices = gpus(6000)
    short = predict(llama(), replace(PLAIN, num_ctx=16384), devices)
    advice = advise(short, devices, (Occupied("end others", {"GPU 0": 4000 * MIB}),))
    verdicts = [item.fits for item in advice]
    assert verdicts == sorted(verdicts, reverse=True)
    assert any(verdicts)
    by_words = {item.change.split(" ")[0]: item for item in advice}
    assert by_words["end"].fits
    context = by_words["num_ctx"]
    assert context.fits
    assert predict(llama(), replace(PLAIN, num_ctx=int(context.change.split(" ")[1])), devices).fits
    assert by_words["KV"].saves_bytes > 900 * MIB
    assert "8.5" not in " ".join(item.change for item in advice)  # the model is smaller than that already


def test_what_fits_needs_no_advice() -> None:
    assert advise(predict(llama(), PLAIN, gpus(24_000)), gpus(24_000)) == ()


def test_unknown_must_fit_with_its_error_on_top() -> None:
    info = model_info("llama3.1-8b.Q4_K_M")
    renamed = {key.replace("llama.", "novel."): value for key, value in info["model_info"].items()}
    novel = of_model_info("n", {**info, "model_info": {**renamed, "general.architecture": "novel"}})
    known, unknown = predict(llama(), PLAIN, gpus(7000)), predict(novel, PLAIN, gpus(7000))
    assert unknown.needed == known.needed
    assert unknown.devices[0].error > 5 * known.devices[0].error
    assert known.fits
    assert not unknown.fits
    assert predict(novel, PLAIN, gpus(9000)).fits


def test_quantised_values_without_flash_attention_are_refused() -> None:
    with pytest.raises(InsufficientFacts, match="flash attention"):
        predict(llama(), replace(PLAIN, type_k="q8_0", type_v="q8_0", flash="off"), gpus(24_000))


def test_older_planners_compute_every_output() -> None:
    # Public CUDA logs of Llama 3 8B Q4_K_M say 258.50 MiB for 512 tokens of context without flash attention.
    old = replace(Settings(num_ctx=512, flash="off"), planner=PLANNERS[-1])
    found = predict(llama(), old, gpus(24_000)).devices[0]
    assert found.bytes.compute / MIB == pytest.approx(258.5, rel=0.01)
    assert found.bytes.weights / MIB == pytest.approx(4403.49, abs=0.01)
    assert planner_of("0.32.15") is PLANNERS[0]
    assert planner_of("0.31.2") is PLANNERS[1]
    assert planner_of("0.12.3") is PLANNERS[2]
    assert planner_of("main") is PLANNERS[0]


def test_a_projector_is_counted_and_reserved() -> None:
    vision = replace(llama(), projector_bytes=800 * MIB)
    assert margin_of({}, vision.projector_bytes) == 1824 * MIB
    assert margin_of({"LLAMA_ARG_FIT_TARGET": "512,600"}, vision.projector_bytes) == 512 * MIB
    found = predict(vision, replace(PLAIN, margin_bytes=margin_of({}, 800 * MIB)), gpus(7100))
    assert not found.fits
    assert found.devices[0].other == 800 * MIB
    assert predict(llama(), PLAIN, gpus(7100)).fits


def test_ollama_chooses_one_gpu_where_one_is_enough() -> None:
    devices = gpus(12_000, 24_000)
    assert choose(llama(), PLAIN, devices) == [devices[1]]
    assert choose(moe(), PLAIN, gpus(12_000, 20_000)) == gpus(12_000, 20_000)


def test_ollamas_defaults() -> None:
    gib = 1024 * MIB
    assert [default_context(size * gib) for size in (8, 22, 23, 46, 47, 80)] == [
        4096,
        4096,
        32768,
        32768,
        262144,
        262144,
    ]
    assert [default_batch(n, "auto") for n in (4096, 4097, 32768, 32769)] == [512, 1024, 1024, 2048]


@settings(max_examples=25, deadline=5000)
@given(st.lists(st.integers(0, 30_000), min_size=1, max_size=4), st.sampled_from(["llama", "moe"]))
def test_every_byte_lies_somewhere_and_nothing_is_overfilled(free: list[int], which: str) -> None:
    model = llama() if which == "llama" else moe()
    found = predict(model, PLAIN, gpus(*free))
    weights = sum(share.bytes.weights for share in (*found.devices, found.host))
    padding = 8 * MIB
    assert model.tensors.file_bytes - padding <= weights <= model.tensors.file_bytes + padding
    kv = sum(share.bytes.kv for share in (*found.devices, found.host))
    assert kv == (1024 if which == "llama" else 768) * MIB
    if found.placement.on_device:
        for share in found.devices[1:] if not found.fits else found.devices:
            assert share.total <= share.device.free_bytes or not share.bytes.weights


def test_the_record_has_the_published_shape() -> None:
    found = predict(llama(), PLAIN, gpus(6000))
    record = model_record(found, 1024, advise(found, gpus(6000)))
    assert list(record) == [
        *("name", "architecture", "fits", "layers_total", "layers_on_gpu", "largest_num_ctx", "devices", "host"),
        "advice",
    ]
    keys = [
        "name",
        "free_mib",
        "weights_mib",
        "kv_mib",
        "state_mib",
        "compute_mib",
        "other_mib",
        "total_mib",
        "error_mib",
    ]
    assert [list(device) for device in (*record["devices"], record["host"])] == [keys, keys]
    for device in (*record["devices"], record["host"]):
        assert device["total_mib"] == pytest.approx(sum(device[key] for key in keys[2:7]), abs=0.01)
    assert list(record["advice"][0]) == ["change", "saves_mib", "fits"]


@settings(max_examples=20, deadline=5000)
@given(
    st.sampled_from(sorted({case["model"] for case in cases("full")})),
    st.data(),
    st.integers(0, 60_000),
    st.sampled_from(["f16", "q8_0", "q4_0", "f32"]),
    st.integers(1, 4),
)
def test_any_numbers_of_a_model_give_a_prediction(
    model: str, data: st.DataObject, free: int, kind: str, parallel: int
) -> None:
    info = model_info(model)
    numbers = [key for key, value in info["model_info"].items() if type(value) is int]
    key = data.draw(st.sampled_from(numbers))
    changed = {**info["model_info"], key: data.draw(st.integers(0, 300))}
    try:
        described = of_model_info(model, {**info, "model_info": changed})
    except InsufficientFacts:
        return
    chosen = Settings(num_ctx=4096, parallel=parallel, type_k=kind, type_v=kind)
    devices = gpus(free, free // 2)
    found = predict(described, chosen, devices)
    assert all(share.total >= 0 and share.error >= 0 for share in (*found.devices, found.host))
    assert found.fits == (not advise(found, devices))

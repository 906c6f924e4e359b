"""model_info in every shape: complete, poor, wrong."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.fit.description import of_model_info
from ongpu.fit.facts import InsufficientFacts, facts_of
from ongpu.fit.settings import MIB
from tests.fit.planner import cases, model_info, planner

LLAMA = "llama3.1-8b.Q4_K_M"


def test_layers_of_every_kind() -> None:
    def facts(model: str) -> Any:
        return facts_of(planner()["models"][model]["metadata"])

    assert [i for i, on in enumerate(facts("gemma3-1b.Q4_K_M").windowed[:12]) if not on] == [5, 11]
    granite = facts("granite4-h-tiny.Q4_K_M")
    assert [i for i in range(40) if granite.cached(i)] == [5, 15, 25, 35]
    assert not any(granite.recurrent[i] for i in (5, 15, 25, 35))
    following = facts("qwen3-next-80b-a3b.Q4_K_M")
    assert [i for i in range(12) if following.cached(i)] == [3, 7, 11]
    assert all(facts("falcon-h1-7b.Q4_K_M").recurrent)
    assert facts("phi3-mini-128k.Q4_K_M").window == 0  # the key is there and ignored


def test_shared_kv_layers_hold_none() -> None:
    info = {"general.architecture": "gemma3n", "gemma3n.block_count": 30, "gemma3n.embedding_length": 2048}
    info |= {"gemma3n.attention.head_count": 8, "gemma3n.attention.head_count_kv": 2}
    facts = facts_of(info)
    assert [facts.cached(i) for i in (0, 19, 20, 29)] == [True, True, False, False]


def test_an_unlisted_architecture_is_said_to_be_unknown() -> None:
    info = {"general.architecture": "novel", "novel.block_count": 2, "novel.embedding_length": 64}
    assert not facts_of(info).is_known


@pytest.mark.parametrize(
    "model",
    [
        "falcon-h1-7b.Q4_K_M",
        "granite4-h-tiny.Q4_K_M",
        "mamba2-2.7b.Q4_K_M",
        "qwen3-next-80b-a3b.Q4_K_M",
        "mxbai-embed-large.F16",
        "qwen3-8b.Q4_K_M",
    ],
)
def test_the_keys_of_an_unlisted_architecture_tell_where_state_and_caches_are(model: str) -> None:
    metadata = planner()["models"][model]["metadata"]
    name = metadata["general.architecture"]
    renamed = {key.replace(f"{name}.", "novel."): value for key, value in metadata.items()}
    listed, novel = facts_of(metadata), facts_of(renamed | {"general.architecture": "novel"})
    assert not novel.is_known
    assert novel.recurrent == listed.recurrent
    layers = range(listed.layers)
    assert [novel.cached(i) for i in layers] == [listed.cached(i) for i in layers]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "model_info"),
        ({}, "model_info"),
        ({"model_info": {}}, "general.architecture"),
        ({"model_info": {"general.architecture": "llama"}}, "llama.block_count"),
        ({"model_info": {"general.architecture": "llama", "llama.block_count": "32"}}, "not a size"),
        ({"model_info": {"general.architecture": "llama", "llama.block_count": 10**9}}, "no model has so many"),
        ({"model_info": planner()["models"][LLAMA]["metadata"]}, "file_size_bytes"),
        ({"model_info": planner()["models"][LLAMA]["metadata"], "tensors": [{"name": "x"}]}, "a tensor must have"),
        ({"model_info": planner()["models"][LLAMA]["metadata"], "file_size_bytes": "4 GB"}, "number of bytes"),
        (
            {"model_info": planner()["models"][LLAMA]["metadata"], "tensors": model_info(LLAMA)["tensors"][:-2]},
            "nothing for layer 31",
        ),
    ],
)
def test_too_little_is_said_in_one_sentence(body: object, words: str) -> None:
    with pytest.raises(InsufficientFacts, match=words) as caught:
        of_model_info("m", body)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", sorted({case["model"] for case in cases("full")}))
def test_weights_without_a_tensor_table_are_near(model: str) -> None:
    exact = of_model_info(model, model_info(model))
    size = exact.tensors.file_bytes
    rough = of_model_info(model, {"model_info": model_info(model)["model_info"], "file_size_bytes": size})
    assert rough.tensors.is_estimate

    def on_device(tensors: Any) -> int:
        layers: int = sum(layer.total for layer in tensors.layers)
        return layers + int(tensors.output) + (int(tensors.embedding) if tensors.tied else 0)

    assert on_device(rough.tensors) == pytest.approx(on_device(exact.tensors), rel=0.02, abs=8 * MIB)


@settings(max_examples=60, deadline=2000)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(sorted(planner()["models"][LLAMA]["metadata"])),
)
def test_any_json(value: object, key: str) -> None:
    damaged = {**planner()["models"][LLAMA]["metadata"], key: value}
    for body in (value, {"model_info": value}, {"model_info": damaged, "tensors": model_info(LLAMA)["tensors"]}):
        with suppress(InsufficientFacts):
            of_model_info("m", body)

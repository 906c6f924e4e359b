"""Models that are made from others, and what they may declare."""

from __future__ import annotations

from typing import Any

import pytest

from ongpu.errors import ConfigError
from ongpu.spec import from_data
from ongpu.spec.model import ModelSpec

BASE: dict[str, Any] = {"name": "gpu01", "ollama": {"release": "0.32.15"}}


def model(**keys: Any) -> ModelSpec:
    return from_data({**BASE, "models": {"mine": keys}}).models["mine"]


def test_a_derived_model_has_a_context_of_its_own() -> None:
    mine = model(**{"from": "llama3.1:8b", "context": 16384, "parameters": {"temperature": 0.2, "stop": ["<|eot|>"]}})
    assert (mine.from_, mine.own_context) == ("llama3.1:8b", 16384)
    assert model(context=8192).own_context is None


@pytest.mark.parametrize(
    "models",
    [
        {"llama3.1:8b": {}, "mine": {"from": "llama3.1:8b"}},
        {"a": {"from": "llama3.1"}, "b": {"from": "library/llama3.1:latest"}},
        {"llama3.1": {}, "Llama3.1:latest": {}},
    ],
)
def test_two_names_of_one_file_cannot_both_stay_loaded(models: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"gpu01: ongpu\.models: .* have the same weights"):
        from_data({**BASE, "models": models})


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"parameters": {"temperature": 1}}, "say which model it is made `from`"),
        ({"from": "a", "parameters": {"num_ctx": 4096}}, "num_ctx does not belong here: use `context`"),
        ({"from": "a", "parameters": {"num_gpu": 20}}, "num_gpu does not belong here"),
        ({"from": "a", "parameters": {"temprature": 1}}, "did you mean temperature?"),
        ({"from": "a", "parameters": {"temperature": "hot"}}, "'hot' is not a number or boolean"),
        ({"from": "a", "parameters": {"stop": "x"}}, "'x' is not a list of texts"),
        ({"from": "a b"}, "is not a model name"),
    ],
)
def test_what_cannot_be(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=r"gpu01: ongpu\.models\.mine") as caught:
        model(**keys)
    assert words in str(caught.value)

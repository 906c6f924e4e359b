"""Of each model only the latest load counts; everything else of the journal stays."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.rules.from_journal import latest_loads

FIND = '1.0 time=T level=INFO source=types.go:32 msg="inference compute" id=GPU-1 library=CUDA'


def start(model: str, more: str = "") -> str:
    command = f"/x/llama-server --model /m/{model} {more}"
    return f'2.0 time=T level=INFO source=llama_server.go:1 msg="starting llama-server" cmd="{command}"'


def test_an_earlier_load_of_the_same_model_is_over() -> None:
    old, new = start("a", "-ngl 3"), start("a")
    lines = [FIND, old, "offloaded 3/29 layers to GPU", new, "offloaded 29/29 layers to GPU"]
    assert list(latest_loads(lines)) == [FIND, new, "offloaded 29/29 layers to GPU"]


def test_another_models_load_stays() -> None:
    lines = [FIND, start("a"), "offloaded 3/29 layers to GPU", start("b"), "offloaded 29/29 layers to GPU"]
    assert list(latest_loads(lines)) == lines


def test_the_runner_of_older_releases_is_known_too() -> None:
    old = '1.0 msg="starting runner" cmd="/usr/local/bin/ollama runner --ollama-engine --model /m/a --port 40001"'
    assert list(latest_loads([old, "x", old, "y"])) == [old, "y"]


@given(st.lists(st.sampled_from([FIND, start("a"), start("b"), "offloaded 1/2 layers"]), max_size=12))
@settings(max_examples=60, deadline=None)
def test_every_model_keeps_exactly_one_load(lines: list[str]) -> None:
    kept = list(latest_loads(lines))
    for model in ("a", "b"):
        assert kept.count(start(model)) == min(1, lines.count(start(model)))
    assert set(kept) <= set(lines)

"""The load script's answer: anything may come back from a host."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongpu.engine.asked import asked, shape
from ongpu.proof.case import Asked

N = "0011223344556677"


def answer(*parts: tuple[str, int, str]) -> str:
    """A complete answer with these parts of the section."""
    told = "".join(f"\n@@{N} part {name}\n{text}\n\n@@{N} rc {rc}\n" for name, rc, text in parts)
    return f"@@ongpu 1 {N}\n\n@@{N} section load\n{told}\n@@{N} done load\n\n@@{N} end\n"


def generated(body: Any, status: str = "200", rc: int = 0, state: str = "missing load") -> Asked:
    text = body if isinstance(body, str) else json.dumps(body)
    (one,) = asked(answer(("decision:0", 0, state), ("generate:0", rc, f"{text}\n{status}")), 1)
    return one


def test_nothing_came_back() -> None:
    (one,) = asked("", 1)
    assert one == Asked(why="Ollama was not asked: no output")
    assert asked("sudo: a password is required", 2)[1].why == "Ollama was not asked: sudo: a password is required"


def test_cut_off_before_the_second_model() -> None:
    text = answer(("decision:0", 0, "resident"))
    first, second = asked(text[: text.index("done load") - 20], 2)
    assert first.outcome == "resident"
    assert (second.outcome, second.why) == ("unknown", "Ollama was not asked in time")


@pytest.mark.parametrize(
    ("body", "status", "rc", "outcome", "why"),
    [
        ({"done": True, "eval_count": 32, "eval_duration": 10**9}, "200", 0, "loaded", ""),
        ({"done": True}, "200", 0, "loaded", ""),
        ({"done": False}, "200", 0, "unknown", "the answer is not complete"),
        ({"error": "out of memory"}, "500", 0, "failed", "HTTP 500: out of memory"),
        ({"error": "model runner has stopped"}, "200", 0, "failed", "HTTP 200: model runner has stopped"),
        ("", "403", 0, "failed", "HTTP 403: no reason given"),
        ({"error": "request canceled"}, "499", 0, "unknown", "HTTP 499: request canceled"),
        (
            "curl: (28) Operation timed out",
            "000",
            28,
            "unknown",
            "the answer is missing: no answer within the time limit",
        ),
        (
            "curl: (52) Empty reply from server",
            "000",
            52,
            "unknown",
            "the answer is missing: curl: (52) Empty reply from server",
        ),
        (
            "wget: server returned error: HTTP/1.1 500 Internal Server Error",
            "",
            1,
            "failed",
            "wget: server returned error: HTTP/1.1 500 Internal Server Error",
        ),
        ('{"done": true, "eval_count": 3', "200", 0, "unknown", "the answer is not complete"),
    ],
)
def test_answers_to_a_load(body: Any, status: str, rc: int, outcome: str, why: str) -> None:
    one = generated(body, status, rc)
    assert (one.outcome, one.why) == (outcome, why)
    assert bool(one.trouble) == (outcome == "unknown")


def test_trouble_with_a_resident_model_leaves_it_resident() -> None:
    assert generated("", "000", 28, "resident load").outcome == "resident"


@pytest.mark.parametrize(
    ("count", "duration", "rate"),
    [(32, 400_000_000, 80.0), (1, 1000, None), (0, 0, None), ("32", 1, None), (True, 10, None), (32, -1, None)],
)
def test_rates(count: Any, duration: Any, rate: float | None) -> None:
    one = generated({"done": True, "eval_count": count, "eval_duration": duration})
    assert (one.generation.rate if one.generation else None) == rate


def test_shapes() -> None:
    text = "\n".join(
        (
            '"gemma3n.block_count":30',
            '"gemma3n.vision.block_count":27',
            '"name":"per_layer_token_embd.weight","type":"Q5_0","shape":[7680,262144]}',
            '"name":"token_embd.weight","type":"F16","shape":[2048,262144]}',
        )
    )
    found = shape(text)
    assert found.layers == 31
    assert found.input_tensors == 2
    assert found.input_bytes == 7680 * 262144 * 11 // 16 + 2048 * 262144 * 2
    assert shape('"clip.vision.block_count":27').layers is None
    assert shape('"name":"token_embd.weight","type":"NEW_4","shape":[2048,262144]}').input_bytes is None


parts = st.lists(
    st.tuples(
        st.sampled_from(["show:0", "ps:0", "decision:0", "generate:0", "embed:0", "client", "decision:1"]),
        st.integers(0, 255),
        st.one_of(
            st.text(),
            st.sampled_from(["resident", "missing load", "resident load", "evicts", "late", "unknown", "missing"]),
            st.recursive(
                st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
                lambda inner: st.dictionaries(
                    st.sampled_from(["done", "error", "eval_count", "eval_duration", "embeddings"]), inner
                ),
            ).map(json.dumps),
        ),
    )
)


@settings(deadline=None)  # the machine may be busy
@given(parts, st.integers(0, 400))
def test_any_answer_is_read(told: list[tuple[str, int, str]], cut: int) -> None:
    text = answer(*told)
    for whole in (text, text[: len(text) - cut]):
        found = asked(whole, 2)
        assert len(found) == 2
        for one in found:
            assert one.generation is None or one.generation.rate is None or one.generation.rate > 0
            assert one.outcome in ("resident", "loaded") or one.why


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert [one.outcome for one in asked(text, 3)] == ["unknown"] * 3
    shape(text)

"""What a timed generation, and a runner that answers nothing, say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ongpu.proof.case import Asked
from ongpu.proof.judge import judge
from ongpu.proof.witnesses import generation
from tests.proof.scenes import recorded

LARGE = "two-gpus-sched-spread"


def asked(**changes: object) -> Asked:
    return replace(recorded(LARGE).asked, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("runner", "line", "words"),
    [
        ("silent", "silent 4711 40001 curl: (28) Operation timed out", "its runner (process 4711) does not answer"),
        ("gone", "gone", "no process of Ollama holds it: its runner was killed"),
    ],
)
def test_a_runner_that_serves_nobody_is_no_proof_whatever_it_holds(runner: str, line: str, words: str) -> None:
    """Frozen, it still holds its memory, and log and API say what they said when it was loaded."""
    result = judge(recorded(LARGE).but(asked=asked(runner=runner, runner_line=line)).case())
    assert result.verdict == "disagreement"
    assert words in result.summary
    (told,) = [one for one in result.testimonies if one.witness == "generation"]
    assert told.evidence[0].line == line


def test_a_runner_that_answers_is_no_testimony_by_itself() -> None:
    says, why, _ = generation.testify(recorded(LARGE).but(asked=asked(runner="answers")).case())
    assert (says, why) == ("silent", "nothing was generated")


def test_why_a_resident_model_was_not_asked_is_said() -> None:
    says, why, _ = generation.testify(recorded(LARGE).but(asked=asked(why="its context length is not told")).case())
    assert (says, why) == ("silent", "its context length is not told")

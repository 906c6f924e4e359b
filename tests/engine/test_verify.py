"""The proof as an operation: its round trips, and how its verdicts reach the operator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.deploy import deploy
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from ongpu.engine import verify as proof
from ongpu.engine.cell import cell_of
from ongpu.errors import Exit
from ongpu.host.result import ModelResult, ModelVerdict
from ongpu.plan.types import Plan
from tests.engine.conftest import LocalShell, World, converge_operation

LOOKED = "printf '@@ongpu 1 aa\\n\\n@@aa section load\\n@@aa done load\\n@@aa end\\n@@ongpu 1 bb\\n@@bb end\\n'\n"


@operation()
def proof_operation() -> Any:
    yield from proof.verify()


class Proving(World):
    looked_before = True

    @property
    def _deploy(self) -> Callable[[], None]:
        def body() -> None:
            if self.looked_before:
                converge_operation("driver", name="driver")
            proof_operation(name="proof")

        return deploy("test")(body)


@pytest.fixture
def proving(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proving:
    made = Proving(tmp_path)
    made.plans = lambda name, place: Plan()
    monkeypatch.setattr(proof, "load_script", lambda spec, before, load, turn: LOOKED)
    monkeypatch.setattr(proof, "script", lambda: "")
    return made


def saying(monkeypatch: pytest.MonkeyPatch, *verdicts: ModelVerdict) -> None:
    results = tuple(
        ModelResult(name=f"m{number}", verdict=verdict, summary=f"m{number} is {verdict}", testimonies=())
        for number, verdict in enumerate(verdicts)
    )
    monkeypatch.setattr(proof, "testimony", lambda models, after, text: results)


def run(proving: Proving, models: dict[str, Any]) -> State:
    # expect.gpus is 0: these hosts are made up, and no GPU answers there
    proving.data["gpu1"] = {"ongpu": {"ollama": {"release": "0.32.15"}, "models": models, "expect": {"gpus": 0}}}
    return proving.run("gpu1")


def test_the_proof_is_one_exec_beside_the_look_that_was_there(
    proving: Proving, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, "verified")
    state = run(proving, {"m0": {}})
    (host,) = state.inventory
    assert cell_of(host).trouble is None
    assert [model.name for model in cell_of(host).models] == ["m0"]
    assert LocalShell.execs["gpu1"].count(LOOKED) == 1
    assert len(LocalShell.execs["gpu1"]) == 2  # the look, and the proof


@pytest.mark.parametrize(
    ("verdicts", "sentence", "code"),
    [
        (("verified", "unknown"), "m1 is unknown", Exit.UNKNOWN),
        (("unknown", "not_verified"), "m1 is not_verified", Exit.FINDINGS),
        (("disagreement", "not_verified"), "m0 is disagreement; m1 is not_verified", Exit.FINDINGS),
    ],
)
def test_what_is_not_proven_fails_the_host_with_one_sentence(
    proving: Proving,
    monkeypatch: pytest.MonkeyPatch,
    verdicts: tuple[ModelVerdict, ...],
    sentence: str,
    code: Exit,
) -> None:
    saying(monkeypatch, *verdicts)
    (host,) = run(proving, {"m0": {}, "m1": {}}).inventory
    trouble = cell_of(host).trouble
    assert trouble is not None
    assert (trouble.sentence, trouble.code) == (sentence, code)
    assert cell_of(host).broken == (code is Exit.FINDINGS)


def test_without_declared_models_nothing_is_loaded_but_the_gpus_are_looked_at(
    proving: Proving, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(proof, "missing_gpus", lambda count, name, snapshot: asked.append(count))
    (host,) = run(proving, {}).inventory
    assert cell_of(host).trouble is None
    assert LOOKED not in LocalShell.execs["gpu1"]
    assert asked == [0]


def test_where_ollama_is_to_be_gone_a_cuda_that_cannot_be_tried_is_no_doubt(
    proving: Proving, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(proof, "cuda_objection", lambda count, snapshot, proven: asked.append(proven))
    for state in ("present", "absent"):
        ollama = {"release": "0.32.15", "state": state}
        proving.data["gpu1"] = {"ongpu": {"ollama": ollama, "expect": {"gpus": 0}}}
        proving.run("gpu1")
    assert asked == [False, True]


def test_a_bug_is_one_hosts_trouble(proving: Proving, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("models")

    monkeypatch.setattr(proof, "testimony", broken)
    (host,) = run(proving, {"m0": {}}).inventory
    trouble = cell_of(host).trouble
    assert trouble is not None
    assert trouble.code is Exit.ERROR
    assert "ongpu bug, please report: KeyError('models')" in trouble.sentence

"""Drift without a network: the script that is sent, the judgement of what comes back, and the way of each trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ongpu.engine.answer import Answer
from ongpu.fleet import drift
from ongpu.fleet.drift import judge, script_of, verdict_of
from ongpu.fleet.explained import explained
from ongpu.fleet.options import Options
from ongpu.fleet.reading import stream
from ongpu.fleet.reading.target import Target
from ongpu.fleet.reading.way import Unreached
from ongpu.host.reading import Unreadable
from ongpu.host.result import Finding, HostResult, ModelResult, ModelVerdict, PlannedChange, Unknown
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.types import Blocked, Change, Deferred, Interrupts, Plan
from ongpu.rules.catalogue import catalogue
from ongpu.rules.evidence import Evidence, Line
from ongpu.spec.data import from_data
from ongpu.spec.model import HostSpec
from tests.proof.scenes import Scene

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
RECORDED = (Path(__file__).resolve().parent.parent / "recordings" / "probe" / "bookworm-root.txt").read_text()
CHANGE = Change(resource="override", summary="write 50-ongpu.conf", steps=(), interrupts=Interrupts.RESTART)
AS_DECLARED = Plan()
LATE = Deferred(resource="restart", why="waits for override")


def spec(**models: Any) -> HostSpec:
    return from_data({"name": "gpu01", "ollama": {"release": "0.32.15"}, "models": {"llama3.2:3b": {}, **models}})


def asked(decision: str) -> str:
    """The answer of the question about one model, as the script prints it."""
    lines = ["@@ongpu 1 aa", "@@aa section load", "@@aa part decision:0", decision, "@@aa rc 0", "@@aa done load"]
    return "\n".join([*lines, "@@aa end", ""])


def model(verdict: ModelVerdict) -> ModelResult:
    return ModelResult(name="m", verdict=verdict, summary=f"m is {verdict}", testimonies=())


def blocked(kind: Any) -> Plan:
    return Plan(blocked=(Blocked(resource="restart", why=f"it is {kind}", kind=kind),))


# --- what is sent ------------------------------------------------------------------------------------------------


def test_the_script_asks_and_looks_and_never_loads() -> None:
    text = script_of(spec())
    assert "LOAD=0 " in text
    assert "LOAD=1" not in text
    assert text.count("printf '@@ongpu %s %s\\n'") == 2


def test_without_models_only_the_look_is_sent() -> None:
    bare = from_data({"name": "gpu01", "ollama": {"release": "0.32.15"}})
    assert script_of(bare).count("printf '@@ongpu %s %s\\n'") == 1
    assert "api/generate" not in script_of(bare)


# --- the judgement -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "models", "verdict", "summary"),
    [
        (Plan(), (), "ok", "as declared, no models declared"),
        (Plan(), ("verified", "not_loaded"), "ok", "as declared; 1 of 2 models loaded, fully on GPU"),
        (Plan(), ("not_loaded",), "ok", "as declared; no model of 1 is loaded now"),
        (Plan(), ("verified", "unknown"), "unknown", "m is unknown"),
        (Plan(), ("not_verified", "unknown"), "failed", "m is not_verified"),
        (Plan(changes=(CHANGE,)), ("disagreement",), "failed", "m is disagreement"),
        (
            Plan(changes=(CHANGE,), deferred=(LATE,)), ("verified",), "findings",
            "not as declared: write 50-ongpu.conf (and 1 more)",
        ),
        (blocked("unsupported"), (), "findings", "not as declared: it is unsupported"),
        # It differs; that the window is closed changes nothing about that.
        (blocked("refused"), ("verified",), "findings", "not as declared: it is refused"),
        (blocked("unknown"), ("verified",), "unknown", "it is unknown"),
        (Plan(deferred=(LATE,)), ("verified",), "unknown", "waits for override"),
    ],
)  # fmt: skip
def test_verdicts(plan: Plan, models: tuple[ModelVerdict, ...], verdict: str, summary: str) -> None:
    assert verdict_of(plan, tuple(model(one) for one in models)) == (verdict, summary)


FEWER = Finding(
    rule="expect", cause="fewer", severity="critical", summary="expect.gpus is 2, but 1 answer", because="", evidence=()
)
HUNG = Unknown(what="GPUs", why="nvidia-smi gave no answer within 20 seconds")


def test_gpus_that_are_missing_or_do_not_answer() -> None:
    assert verdict_of(Plan(), (model("verified"),), (FEWER,)) == ("findings", "expect.gpus is 2, but 1 answer")
    assert verdict_of(Plan(), (model("verified"),), (), (HUNG,)) == ("unknown", f"GPUs: {HUNG.why}")
    assert verdict_of(Plan(changes=(CHANGE,)), (), (), (HUNG,))[0] == "findings"


@pytest.mark.parametrize("expected", [{}, {"gpus": 1}])
def test_a_driver_that_does_not_answer_is_never_healthy(expected: dict[str, int], of_scene: Any) -> None:
    hung = replace(scene(), nvml=Unreadable("nvidia-smi gave no answer within 20 seconds", "look for a hung driver"))
    result = of_scene(hung, "missing", expect=expected)
    assert result.verdict == "unknown"
    (unknown,) = result.unknowns
    assert (unknown.why, unknown.allow) == ("nvidia-smi gave no answer within 20 seconds", "look for a hung driver")


def test_fewer_gpus_than_expected_are_a_finding(of_scene: Any) -> None:
    result = of_scene(scene(), "missing", expect={"gpus": 3})
    assert result.verdict == "findings"
    assert result.findings[0].rule == "expect"


def test_before_the_driver_is_as_declared_the_gpus_are_no_finding(
    of_scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = replace(CHANGE, resource="driver", summary="install driver 580")
    result = of_scene(scene(), "missing", expect={"gpus": 3}, plan=Plan(changes=(driver,)))
    assert (result.verdict, result.findings) == ("findings", ())


@pytest.fixture
def of_scene(monkeypatch: pytest.MonkeyPatch) -> Callable[..., HostResult]:
    """The judgement of a host that is as declared, with this snapshot and this answer to the question."""

    def run(
        snapshot: HostSnapshot, decision: str, expect: dict[str, int] | None = None, plan: Plan = AS_DECLARED
    ) -> HostResult:
        monkeypatch.setattr(drift, "read", lambda answer: snapshot)
        monkeypatch.setattr(drift, "plan", lambda *_: plan)
        monkeypatch.setattr(drift, "evidence_from", lambda snapshot: Evidence(lines=(), whole=True))
        declared = {"ollama": {"release": "0.32.15"}, "models": {"llama3.2:3b": {}}, "expect": expect or {}}
        return judge(from_data({"name": "gpu01", **declared}), Answer(asked(decision) + RECORDED), NOW)

    return run


def scene(*loaded: Any) -> HostSnapshot:
    from ongpu.proof.case import Asked, Declared

    return Scene(
        lines=(), loaded=loaded, path="/m", port=1, environ=drift.NOT_LOOKED_AT.system, flags=(), held=None,
        name="llama3.2:3b", asked=Asked(), declared=Declared(host="gpu01", name="llama3.2:3b"), running=False,
    ).snapshot()  # type: ignore[arg-type]  # fmt: skip


def test_a_model_that_is_not_resident_is_no_drift(of_scene: Any) -> None:
    result = of_scene(scene(), "missing")
    assert result.verdict == "ok"
    assert [(one.verdict, one.summary) for one in result.models] == [
        ("not_loaded", "llama3.2:3b on gpu01: not loaded now")
    ]


def test_where_the_api_does_not_answer_nothing_is_called_not_loaded(of_scene: Any) -> None:
    result = of_scene(HostSnapshot.unreadable("connection refused"), "unknown")
    assert (result.verdict, result.models[0].verdict) == ("unknown", "unknown")


def test_a_recorded_host_is_judged_by_what_was_recorded() -> None:
    result = judge(spec(), Answer(asked("unknown") + RECORDED), NOW)
    assert result.verdict == "failed"
    assert result.summary.startswith("llama3.2:3b on gpu01 is not on the GPU: llama3.2:3b is not in the store")
    assert {unknown.why for unknown in result.unknowns}  # the recording has no section about the system
    assert result.facts["service"] == "active"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer("", "sudo: a password is required"), "sudo", "sudo: a password is required"),
        (Answer("", "no answer within 165 s"), "timeout", "no answer within 165 s"),
        (Answer("This account is currently not available.\n"), "shell", "This account is currently not available."),
        (Answer(""), "shell", "no output"),
        (Answer(asked("missing")), "shell", "cut off"),
    ],
)
def test_an_answer_without_a_look_is_unknown_with_its_reason(answer: Answer, kind: str, words: str) -> None:
    result = judge(spec(), answer, NOW)
    assert result.verdict == "unknown"
    assert result.unknowns[0].what == kind
    assert words in result.error


def test_half_an_answer_never_becomes_healthy() -> None:
    whole = asked("missing") + RECORDED
    for end in range(0, len(whole), len(whole) // 40):
        assert judge(spec(), Answer(whole[:end]), NOW).verdict != "ok"


# --- causes and changes -------------------------------------------------------------------------------------------


STRANDED = "ollama started before the GPU driver: no GPU in its log, one in nvidia-smi"


def cause(rule: str, slug: str, severity: Any = "critical") -> Finding:
    return Finding(rule=rule, cause=slug, severity=severity, summary=f"{slug} was found", because="", evidence=())


def planned(resource: str) -> PlannedChange:
    return PlannedChange(resource=resource, kind="change", summary=f"change {resource}")


def test_a_change_that_is_the_repair_of_a_found_cause_stands_under_it() -> None:
    rule = next(entry.rule for entry in catalogue() if entry.rule.slug == "service-older-than-driver")
    found = [cause(rule.id, rule.slug)]
    told = explained([planned("restart"), planned("models")], found, Evidence(lines=()))
    assert [(change.resource, change.cause) for change in told] == [("restart", rule.slug), ("models", "")]


def test_an_explained_change_is_no_second_trouble() -> None:
    found = (cause("SW-001", "driver-not-running"),)
    changes = (replace(planned("override"), cause="driver-not-running"),)
    todo = Plan(changes=(CHANGE,), deferred=(LATE,))
    assert verdict_of(todo, (), found, (), changes) == (
        "findings", "driver-not-running was found (and 1 more)",  # what waits is not explained
    )  # fmt: skip
    assert verdict_of(Plan(changes=(CHANGE,)), (), found, (), changes) == ("findings", "driver-not-running was found")
    assert verdict_of(Plan(changes=(CHANGE,)), (), found, (), ()) == (
        "findings", "driver-not-running was found (and 1 more)",
    )  # fmt: skip


def test_a_failed_proof_names_the_cause_and_information_is_no_drift() -> None:
    found = (cause("SW-001", "driver-not-running"),)
    assert verdict_of(Plan(), (model("not_verified"),), found) == ("failed", "m is not_verified (and 1 more)")
    assert verdict_of(Plan(), (model("verified"),), (cause("HW-009", "power-cap-active", "info"),))[0] == "ok"


def test_the_rules_are_asked_about_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "read", lambda answer: scene())
    monkeypatch.setattr(drift, "plan", lambda *_: Plan())
    monkeypatch.setattr(
        drift, "evidence_from", lambda snapshot: Evidence(lines=(Line(STRANDED, "system", "journal"),), whole=True)
    )
    bare = from_data({"name": "gpu01", "ollama": {"release": "0.32.15"}})
    result = judge(bare, Answer(RECORDED), NOW)
    assert result.verdict == "findings"
    assert [finding.cause for finding in result.findings] == ["service-older-than-driver"]


# --- over a fleet ------------------------------------------------------------------------------------------------


class Fleet:
    """An inventory of hosts whose connections are stood in for."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place = place
        self.connects: dict[str, str] = {}
        self.answers: dict[str, Callable[[], Any]] = {}
        self.execs: list[str] = []
        self.closed: list[str] = []
        fleet = self

        class Way:
            def __init__(self, target: Target, jumps: object) -> None:
                self.name = target.name

            async def connect(self) -> None:
                if sentence := fleet.connects.get(self.name):
                    raise Unreached(sentence)

            async def run(self, script: str, seconds: float) -> Answer:
                fleet.execs.append(self.name)
                answer = fleet.answers.get(self.name, lambda: Answer(asked("missing") + RECORDED))()
                return await answer if asyncio.iscoroutine(answer) else answer

            async def close(self) -> None:
                fleet.closed.append(self.name)

        monkeypatch.setattr(stream, "Native", Way)

    def look(self, *names: str, seconds: float = 20, bare: str = "") -> dict[str, HostResult]:
        data = {"ongpu": {"ollama": {"release": "0.32.15"}, "models": {"llama3.2:3b": {}}}}
        hosts = [(name, {} if name == bare else data) for name in names]
        (self.place / "inventory.py").write_text(f"hosts = {hosts!r}\n")
        chosen = Options(inventory=str(self.place / "inventory.py"), seconds=seconds)  # type: ignore[arg-type]
        return {result.host: result for result in drift.drift_fleet(chosen)}


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    return Fleet(tmp_path, monkeypatch)


def _broken() -> Answer:
    raise KeyError("models")


async def _hangs() -> Answer:
    await asyncio.sleep(60)
    return Answer("")


def test_one_exec_per_host_and_each_trouble_is_one_hosts_own(many: Fleet) -> None:
    many.connects = {"down": "unreachable: timed out", "key": "authentication failed (wrong user or key)"}
    many.answers = {
        "sudo": lambda: Answer("", "sudo: a password is required"), "bug": _broken, "hangs": _hangs,
    }  # fmt: skip
    names = ("well", "down", "key", "sudo", "bug", "hangs", "bare")
    results = many.look(*names, seconds=0.5, bare="bare")
    assert {name: result.unknowns[0].what for name, result in results.items() if not result.facts} == {
        "down": "unreachable",
        "key": "authentication",
        "sudo": "sudo",
        "bug": "bug",
        "hangs": "timeout",
        "bare": "inventory",
    }
    assert results["well"].facts
    assert sorted(many.execs) == ["bug", "hangs", "sudo", "well"]
    assert sorted(many.closed) == sorted(set(names) - {"bare"})  # it was never asked

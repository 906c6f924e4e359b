from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from ongpu.host.result import FleetResult
from ongpu.report import renderer
from tests.report.samples import ANY_FLEET, MIXED, drifted, fleet, hostile


def parsed(result: FleetResult) -> dict[str | None, TestSuite]:
    whole = JUnitXml.fromstring(renderer("junit")(result).encode())
    assert isinstance(whole, JUnitXml)
    suites = list(whole)
    for suite in suites:
        cases = list(suite)
        assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (
            len(cases),
            sum(_is(case, Failure) for case in cases),
            sum(_is(case, Error) for case in cases),
            sum(_is(case, Skipped) for case in cases),
        )
    assert whole.tests == sum(suite.tests for suite in suites)
    return {suite.name: suite for suite in suites}


def _is(case: TestCase, kind: type) -> bool:
    return any(isinstance(one, kind) for one in case.result)


def outcomes(suite: TestSuite) -> dict[str, str]:
    return {case.name: type(case.result[0]).__name__ if case.result else "passed" for case in suite}


def test_each_host_is_a_suite_and_its_verdict_a_case() -> None:
    suites = parsed(MIXED)
    assert {name: outcomes(suite)["host"] for name, suite in suites.items()} == {
        "gpu01": "passed",
        "gpu02": "passed",
        "gpu03": "Failure",
        "gpu04": "Failure",
        "gpu05": "Error",
    }
    assert outcomes(suites["gpu03"]) == {
        "host": "Failure",
        "rule SW-007 library-mismatch": "Failure",
        "override: write 50-ongpu.conf": "Failure",
        "restart: waits for override": "Failure",
    }
    assert outcomes(suites["gpu02"])["model qwen3:8b"] == "Skipped"
    assert outcomes(suites["gpu04"])["model llama3.3:70b"] == "Failure"
    assert outcomes(suites["gpu05"])["look unreachable"] == "Error"


def test_evidence_and_fix_stand_in_the_failure() -> None:
    (suite,) = parsed(fleet(drifted())).values()
    case = next(one for one in suite if one.name.startswith("rule"))
    assert "nvidia-smi: Failed to initialize NVML" in case.result[0].text
    assert "systemctl reboot" in case.result[0].text


def test_what_is_done_or_only_told_passes() -> None:
    host = drifted()
    done = replace(host, changes=tuple(replace(change, state="done") for change in host.changes))
    done = replace(done, findings=tuple(replace(finding, severity="info") for finding in host.findings))
    (suite,) = parsed(fleet(done)).values()
    assert {outcome for name, outcome in outcomes(suite).items() if name != "host"} == {"passed"}


def test_an_empty_fleet_is_an_error() -> None:
    assert outcomes(parsed(fleet())["fleet"]) == {"host": "Error"}


@given(ANY_FLEET)
@settings(max_examples=40, deadline=None)
def test_any_text_is_well_formed_xml(result: FleetResult) -> None:
    parsed(result)


def test_control_characters_are_replaced() -> None:
    parsed(fleet(hostile()))

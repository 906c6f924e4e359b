"""JUnit XML for CI systems: a suite per host; a case for the look, each planned change, model, finding and doubt.

What is not known is an `error`, what is not as declared a `failure`; only a model that is not loaded is `skipped`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

from ongpu.host.result import Finding, FleetResult, HostResult, ModelResult

Outcome = Literal["passed", "failure", "error", "skipped"]

# Characters that XML 1.0 cannot carry, not even as references.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    outcome: Outcome
    message: str = ""
    text: str = ""


def render(result: FleetResult) -> str:
    suites = ET.Element("testsuites", name=f"ongpu {result.command}")
    totals = [_suite(suites, host, result.started_at) for host in result.hosts]
    if not totals:
        nobody = HostResult(host="fleet", verdict="unknown", summary="no host was looked at")
        totals = [_suite(suites, nobody, result.started_at)]
    for number, name in enumerate(("tests", "failures", "errors", "skipped")):
        suites.set(name, str(sum(total[number] for total in totals)))
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _suite(suites: ET.Element, host: HostResult, at: str) -> tuple[int, int, int, int]:
    cases = list(_cases(host))
    count = [case.outcome for case in cases].count
    totals = (len(cases), count("failure"), count("error"), count("skipped"))
    suite = ET.SubElement(suites, "testsuite", name=_clean(host.host))
    for name, number in zip(("tests", "failures", "errors", "skipped"), totals, strict=True):
        suite.set(name, str(number))
    if at:
        suite.set("timestamp", at[:19])
    for case in cases:
        element = ET.SubElement(suite, "testcase", classname=_clean(host.host), name=_clean(case.name))
        if case.outcome != "passed":
            ET.SubElement(element, case.outcome, message=_clean(case.message)).text = _clean(case.text) or None
        elif case.message:
            ET.SubElement(element, "system-out").text = _clean(case.message)
    return totals


def _cases(host: HostResult) -> Iterator[_Case]:
    """The first case carries the host's verdict, so that no host is without one, whatever else is known of it."""
    outcomes: dict[str, Outcome] = {"ok": "passed", "findings": "failure", "failed": "failure"}
    yield _Case("host", outcomes.get(host.verdict, "error"), host.summary, host.error)
    for finding in host.findings:
        outcome: Outcome = "passed" if finding.severity == "info" else "failure"
        yield _Case(f"rule {finding.rule} {finding.cause}", outcome, finding.summary, _because(finding))
    for change in host.changes:
        refused = change.kind == "blocked"
        done = change.state == "done"
        yield _Case(
            f"{change.resource}: {change.summary}",
            "passed" if done else "error" if refused else "failure",
            change.summary,
            change.diff,
        )
    for model in host.models:
        yield _model(model)
    for unknown in host.unknowns:
        yield _Case(f"look {unknown.what}", "error", unknown.why, unknown.allow)


def _because(finding: Finding) -> str:
    lines = [finding.because, *(f"{line.source}: {line.line}" for line in finding.evidence)]
    if finding.fix:
        lines += [f"fix ({finding.fix.safety}): {finding.fix.text}", *finding.fix.commands]
    return "\n".join(lines)


def _model(model: ModelResult) -> _Case:
    outcomes: dict[str, Outcome] = {"verified": "passed", "unknown": "error", "not_loaded": "skipped"}
    said = "\n".join(f"{one.witness} says {one.says}: {one.why}" for one in model.testimonies)
    return _Case(f"model {model.name}", outcomes.get(model.verdict, "failure"), model.summary, said)


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)

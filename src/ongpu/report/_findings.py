"""Findings for people: the cause, the line that proves it, what it explains, and the fix."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ongpu.host.result import Finding, HostResult

_WIDTH = 110
_SHOWN = 3  # lines of evidence


def lines(host: HostResult) -> Iterator[str]:
    """Every finding of a host, what to fix first above; indented to stand under the host's line."""
    for number, finding in enumerate(host.findings, 1):
        yield f"  {number}. {finding.summary}  [{finding.rule} {finding.cause}, {finding.severity}]"
        yield from _paragraph("why: ", finding.because)
        for said in finding.evidence[:_SHOWN]:
            yield f"     seen: {_shortened(said.line)}  ({said.source})"
        for symptom in finding.symptoms:
            yield f"     explains: {symptom}"
        yield from _fix(finding)


def _fix(finding: Finding) -> Iterator[str]:
    if finding.fix is None:
        return
    yield from _paragraph(f"fix ({finding.fix.safety}): ", finding.fix.text)
    for command in finding.fix.commands:
        yield f"       $ {command}"


def _paragraph(label: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        f"{label}{text}", _WIDTH, initial_indent="     ", subsequent_indent="       ", break_long_words=False
    )


def _shortened(line: str) -> str:
    return line if len(line) <= 200 else f"{line[:197]}…"

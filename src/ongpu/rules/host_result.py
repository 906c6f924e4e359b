"""A diagnosis as the result record of one host."""

from __future__ import annotations

from ongpu.host.result import HostResult
from ongpu.rules.diagnose import diagnose
from ongpu.rules.evidence import Evidence


def diagnosed(host: str, seen: Evidence, gpus: str = "") -> HostResult:
    """`gpus` is a short text such as `2 x RTX 4060 8 GB`, for reports."""
    found = diagnose(seen)
    return HostResult(
        host=host,
        verdict=found.verdict,
        summary=found.summary,
        gpus=gpus,
        findings=found.findings,
        unknowns=found.unknowns,
    )

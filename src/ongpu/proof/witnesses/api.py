"""Ollama's own answer: /api/ps. It repeats what was parsed from log lines, so it is never enough alone."""

from __future__ import annotations

from ongpu.host.ollama import LoadedModel
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.result import Evidence
from ongpu.proof.case import Case
from ongpu.proof.witness import Statement, Witness, blind, gib, no, silent, yes


def testify(case: Case) -> Statement:
    """Integers, not the CLI's rounded percentage: `0%/100% CPU/GPU` is not full (cmd/cmd.go)."""
    match case.resident:
        case Known(value=model, source=source):
            return _resident(model, source)
        case Unreadable(why=why, allow=allow):
            return blind(why, allow)
        case Absent(why=why):
            return _missing(case, why)


def _missing(case: Case, why: str) -> Statement:
    asked = case.asked
    if isinstance(case.stored, Absent):
        return no(case.stored.why)
    if isinstance(case.stored, Known) and case.stored.value.remote:
        return no("it is a remote model: it runs at its provider, not on this host")
    match asked.outcome:
        case "failed":
            return no(f"loading it failed: {asked.why}")
        case "loaded":
            return silent("it was loaded for the proof, and is gone again")
        case "resident":
            return silent("it was loaded when we asked, and is gone now")
        case "not loaded" | "refused" | "unknown":
            return silent(asked.why or why)


def _resident(model: LoadedModel, source: str) -> Statement:
    evidence = (Evidence(source=source, line=f"size={model.size_bytes} size_vram={model.size_vram_bytes}"),)
    if model.size_bytes <= 0:
        return no("its size is 0: nothing was loaded", evidence)
    if model.size_vram_bytes == model.size_bytes:
        return yes("100 % on GPU", evidence)
    if model.size_vram_bytes > model.size_bytes:
        return silent("its size on the GPU is larger than its size", evidence)
    if model.size_vram_bytes <= 0:
        return no(f"100 % on CPU ({gib(model.size_bytes)})", evidence)
    share = 100 * (1 - model.size_vram_bytes / model.size_bytes)
    return no(
        f"{share:.0f} % on CPU: {gib(model.size_vram_bytes)} of {gib(model.size_bytes)} on GPU",
        evidence,
    )


WITNESS = Witness(name="api", rank=1, places=True, testify=testify)

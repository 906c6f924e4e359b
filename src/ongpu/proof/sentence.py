"""The one sentence about a model: subject, state, number."""

from __future__ import annotations

from collections.abc import Iterable

from ongpu.host.reading import Absent, Known
from ongpu.host.result import ModelVerdict, Testimony
from ongpu.proof.case import Case
from ongpu.proof.quorum import API
from ongpu.proof.witness import gib


def of(
    case: Case,
    verdict: ModelVerdict,
    testimonies: tuple[Testimony, ...],
    unmet: tuple[str, ...],
    gpus: tuple[int, ...],
) -> str:
    """`unmet` = what is loaded otherwise than declared; `gpus` = indexes that hold the runner's memory."""
    subject = f"{case.declared.name} on {case.declared.host}"
    if verdict == "verified":
        return f"{subject}: {_placed(case, gpus)} ({_size(case)}{_agreeing(testimonies)} agree)"
    also = f"; and {'; '.join(unmet)}" if unmet else ""
    if verdict == "disagreement":
        return f"{subject}: the witnesses disagree: {_said(testimonies, 'yes', 'no')}{also}"
    if verdict == "not_verified":
        return _not_verified(case, subject, testimonies, unmet, gpus, also)
    return f"{subject} cannot be proven: {_unproven(case, testimonies)}"


def _not_verified(
    case: Case,
    subject: str,
    testimonies: tuple[Testimony, ...],
    unmet: tuple[str, ...],
    gpus: tuple[int, ...],
    also: str,
) -> str:
    objections = {testimony.witness: testimony for testimony in testimonies if testimony.says == "no"}
    if not objections:
        return f"{subject} is not as declared: {'; '.join(unmet)}"
    resident = case.resident.value if isinstance(case.resident, Known) else None
    if resident is None:
        if API in objections:
            return f"{subject} is not on the GPU: {objections[API].why}{also}"
        return f"{subject} is not on the GPU: {_said(testimonies, 'no')}{also}"
    others = [f"{name}: {one.why}" for name, one in objections.items() if name != API]
    because = f" ({'; '.join(others)})" if others else ""
    if 0 < resident.size_vram_bytes < resident.size_bytes:
        share = 100 * (1 - resident.size_vram_bytes / resident.size_bytes)
        on_gpu, size = gib(resident.size_vram_bytes), gib(resident.size_bytes)
        return f"{subject} runs {_percent(share)} on CPU: {on_gpu} of {size} on {_gpus(gpus)}{because}{also}"
    if resident.size_vram_bytes <= 0 < resident.size_bytes:
        return f"{subject} runs on CPU: nothing of its {gib(resident.size_bytes)} is on a GPU{because}{also}"
    return f"{subject} is not proven on the GPU: {_said(testimonies, 'no')}{also}"


def _percent(share: float) -> str:
    return "less than 1 %" if share < 1 else f"{share:.0f} %"


def _gpus(gpus: tuple[int, ...]) -> str:
    if not gpus:
        return "GPU"
    return f"GPU {', '.join(str(index) for index in gpus)}"


def _placed(case: Case, gpus: tuple[int, ...]) -> str:
    return f"fully on {_gpus(gpus)}"


def _size(case: Case) -> str:
    return f"{gib(case.resident.value.size_bytes)}, " if isinstance(case.resident, Known) else ""


def _agreeing(testimonies: Iterable[Testimony]) -> str:
    return "+".join(testimony.witness for testimony in testimonies if testimony.says == "yes")


def _said(testimonies: Iterable[Testimony], *which: str) -> str:
    """`api says 100 % on GPU, log says 3.1 GiB of weights on the CPU (LLAMA_ARG_CPU_MOE=1 in ...)`.

    What agrees with the API adds nothing to its word; what the environment objects to is the cause of the rest.
    """
    ordered = [one for says in which for one in testimonies if one.says == says]
    if any(one.says == "yes" and one.witness == API for one in ordered):
        ordered = [one for one in ordered if one.says == "no" or one.witness == API]
    cause = [one for one in ordered if one.says == "no" and one.witness == "environment"]
    effects = [one for one in ordered if one not in cause]
    if not cause or not any(one.says == "no" for one in effects):
        return ", ".join(f"{one.witness} says {one.why}" for one in ordered)
    return f"{', '.join(f'{one.witness} says {one.why}' for one in effects)} ({cause[0].why})"


def _unproven(case: Case, testimonies: tuple[Testimony, ...]) -> str:
    speaking = [one for one in testimonies if one.says == "yes"]
    if not speaking and isinstance(case.resident, Absent):
        return case.asked.why or case.resident.why
    reasons = _reasons(testimonies)
    if not speaking:
        return f"no witness speaks ({reasons})"
    names = "+".join("the API" if one.witness == API else one.witness for one in speaking)
    verb = "speaks" if len(speaking) == 1 else "speak"
    return f"only {names} {verb} ({reasons})"


def _reasons(testimonies: tuple[Testimony, ...]) -> str:
    """`log: ...; driver: ...`; who has the same reason stands together."""
    by_reason: dict[str, list[str]] = {}
    for one in testimonies:
        if one.says == "silent" and one.witness != "generation":
            by_reason.setdefault(one.why, []).append(one.witness)
    return "; ".join(f"{'+'.join(names)}: {why}" for why, names in by_reason.items())

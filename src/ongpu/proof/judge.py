"""One model before all witnesses: their testimonies, the verdict, and what to tell the operator."""

from __future__ import annotations

from ongpu.host.gpu import Nvml
from ongpu.host.reading import Known, value_or_none
from ongpu.host.result import ModelResult
from ongpu.proof import quorum, sentence
from ongpu.proof.case import Case
from ongpu.proof.roofline import advice, roofline
from ongpu.proof.witnesses import all_witnesses


def judge(case: Case) -> ModelResult:
    """The result for one model. Never raises."""
    witnesses = all_witnesses()
    testimonies = tuple(witness.hear(case) for witness in witnesses)
    verdict = quorum.verdict(testimonies, {witness.name for witness in witnesses if witness.places})
    unmet = broken_promises(case)
    if unmet and verdict in ("verified", "unknown"):
        verdict = "not_verified"
    resident = value_or_none(case.resident)
    gpus = held_on(case)
    made = case.asked.generation
    rate, found = made.rate if made else None, roofline(case, gpus)
    return ModelResult(
        name=case.declared.name,
        verdict=verdict,
        summary=sentence.of(case, verdict, testimonies, unmet, gpus),
        testimonies=testimonies,
        size_bytes=resident.size_bytes if resident else None,
        gpu_bytes=resident.size_vram_bytes if resident else None,
        context_length=resident.context_length if resident else None,
        tokens_per_second=rate,
        prompt_tokens_per_second=made.prompt_rate if made else None,
        roofline_tokens_per_second=found.tokens_per_second if found else None,
        advice=advice(case, found, rate) if verdict == "verified" else "",
        gpus=gpus,
    )


def broken_promises(case: Case) -> tuple[str, ...]:
    """What is loaded is not what is declared, wherever it lies: another context length, another digest."""
    broken = []
    match case.stored:
        case Known(value=stored) if case.declared.digest and not _same_digest(stored.digest, case.declared.digest):
            broken.append(f"its digest is {stored.digest[:12]}, declared is {_bare(case.declared.digest)[:12]}")
        case _:
            pass
    match case.resident:
        case Known(value=model):
            if case.declared.digest and not broken and not _same_digest(model.digest, case.declared.digest):
                broken.append(
                    f"loaded is digest {model.digest[:12]}, declared is {_bare(case.declared.digest)[:12]} "
                    "(the tag was moved while it was loaded)"
                )
            contexts = case.declared.contexts
            if contexts and model.context_length is not None and model.context_length not in contexts:
                broken.append(f"it is loaded with context {model.context_length}, declared is {contexts[0]}")
        case _:
            pass
    return tuple(broken)


def _same_digest(one: str, other: str) -> bool:
    return _bare(one) == _bare(other)


def _bare(digest: str) -> str:
    return digest.lower().removeprefix("sha256:")


def held_on(case: Case) -> tuple[int, ...]:
    """Indexes of the GPUs on which the driver sees the model's runner; empty when it is not known."""
    nvml, runner = value_or_none(case.snapshot.nvml), value_or_none(case.runner)
    if not isinstance(nvml, Nvml) or runner is None:
        return ()
    gpus, processes = value_or_none(nvml.gpus) or (), value_or_none(nvml.processes) or ()
    uuids = {process.gpu_uuid for process in processes if process.pid == runner.process.pid}
    return tuple(sorted(gpu.info.index for gpu in gpus if gpu.info.uuid in uuids))

"""Can what is declared work at all: do the models exist, is there room on the disk, do they fit on the GPUs together?

Changes nothing. It says no before the service is restarted for a model, and before anything of it is downloaded. What
cannot be foreseen (a registry that does not answer, a GPU whose memory is not told) is no reason to say no: the pull
and the proof will tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ongpu.errors import HostError
from ongpu.fit.advice import Occupied
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.foreseen import Foreseen
from ongpu.fit.target import OURS, Target, target_of
from ongpu.fit.together import Outlook, Wanted, outlook
from ongpu.fit.words import forecast, gib, refusal
from ongpu.host.reading import Known, value_or_none
from ongpu.plan import environment
from ongpu.plan.context import Context, Halt, Later, Resource
from ongpu.plan.store import directory, stored
from ongpu.plan.types import Change


def _changes(context: Context) -> list[Change]:
    for name in context.spec.models:
        if found := context.foreseen.get(name):
            _require_a_model(name, found)
            _require_the_digest(context, name, found)
    _require_disk(context)
    if not context.limits.force:
        _require_fit(context)
    return []


def _require_a_model(name: str, found: Foreseen) -> None:
    if found.kind == "remote":
        raise Halt(
            "unsupported",
            f"{name} is a cloud model: it runs at its provider, never on this host's GPU; take it out of models",
        )
    if found.kind == "absent":
        raise Halt("unsupported", f"the registry knows no model {name}: check its name and its tag")
    if found.kind == "safetensors":
        raise Halt(
            "unsupported",
            f"{name} is a safetensors model, which only Ollama's MLX engine loads; declare a GGUF variant of it",
        )


def _require_the_digest(context: Context, name: str, found: Foreseen) -> None:
    declared = (context.spec.models[name].digest or "").removeprefix("sha256:").lower()
    there = stored(context, context.spec.models[name].from_ or name)
    if not declared or not found.digests or declared in found.digests or (there and there.digest == declared):
        return
    raise Halt(
        "unsupported",
        f"the registry's {name} is sha256:{found.digests[0]} now, the inventory says sha256:{declared}: the tag was "
        "moved, or the digest is wrong; nothing is pulled until the two agree",
    )


def _require_disk(context: Context) -> None:
    needed = {
        name: found.missing_bytes
        for name in context.spec.models
        if (found := context.foreseen.get(name)) and found.missing_bytes
    }
    system = value_or_none(context.snapshot.system)
    disk = system.disk_of(directory(context)) if system else None
    if disk is None or sum(needed.values()) <= disk.free_bytes:
        return
    names = " and ".join(needed)
    raise Halt(
        "unsupported",
        f"the disk is too small: {names} need{'s' if len(needed) == 1 else ''} {gib(sum(needed.values()))} more in "
        f"{directory(context)}, and {gib(disk.free_bytes)} are free",
    )


def _require_fit(context: Context) -> None:
    try:
        found = look_ahead(context)
    except InsufficientFacts as error:  # settings that llama.cpp refuses to load
        raise Halt("unsupported", str(error)) from None
    if found is not None and found.word == "never":
        raise Halt("unsupported", f"{refusal(found)}; to go on anyway: --force")


def look_ahead(context: Context) -> Outlook | None:
    """None where nothing can be said. Raises InsufficientFacts for settings that cannot be loaded."""
    wanted = [
        Wanted(found.description, context.spec.models[name].own_context or found.num_ctx)
        for name in context.spec.models
        if (found := context.foreseen.get(name)) and found.description
    ]
    target = _target(context)
    return outlook(wanted, target) if wanted and target and target.devices else None


def _target(context: Context) -> Target | None:
    """The GPUs with what is free for declared models: our own runners make room, other programs do not."""
    chosen = () if context.spec.ollama.gpus == "all" else tuple(context.spec.ollama.gpus)
    try:
        target = target_of(context.spec.name, context.snapshot, chosen)
        declared = environment.declared(context)
    except (HostError, Halt, Later):
        return None
    freed = _freed(context, target)
    if freed is None:
        return None
    devices = tuple(replace(d, free_bytes=d.free_bytes + freed.get(d.name, 0)) for d in target.devices)
    others = tuple(one for one in target.occupied if one.change != OURS)
    return replace(target, devices=devices, environment=declared, occupied=others)


def _freed(context: Context, target: Target) -> Mapping[str, int] | None:
    """Bytes of each GPU that our own runners hold. Where the driver does not tell (MIG), none while nothing is loaded;
    else it is not known."""
    nvml = value_or_none(context.snapshot.nvml)
    processes = value_or_none(nvml.processes) if nvml else None
    if processes is not None and all(isinstance(process.used_bytes, Known) for process in processes):
        ours: list[Occupied] = [one for one in target.occupied if one.change == OURS]
        return ours[0].by_device if ours else {}
    api = value_or_none(context.snapshot.api)
    loaded = value_or_none(api.loaded) if api else None
    service = value_or_none(context.snapshot.service)
    return {} if loaded == () or (service is not None and not service.is_running) else None


def foretold(context: Context, name: str) -> str:
    """What a pull's change says about the room that the model will need."""
    found = context.foreseen.get(name)
    if found is None:
        return ""
    if found.description is None:
        return f"whether it fits cannot be foreseen: {found.why or 'the GPUs are not known'}"
    try:
        seen = look_ahead(context)
    except InsufficientFacts as error:
        return str(error)
    return forecast(seen, name) if seen else ""


RESOURCE = Resource(name="fit", applies=lambda spec: spec.ollama.wanted and bool(spec.models), changes=_changes)

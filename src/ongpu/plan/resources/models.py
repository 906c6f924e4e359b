"""The declared models are in the store: pulled with the declared digest, or made from one that is there; and, where the
inventory says `prune`, no others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ongpu.host.model_name import full
from ongpu.host.ollama import Model
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.plan import derived, shell
from ongpu.plan.context import Context, Halt, Later, Resource, because, known
from ongpu.plan.endpoint import api_url
from ongpu.plan.environment import swapped
from ongpu.plan.policy import is_running
from ongpu.plan.release import install_of
from ongpu.plan.resources.fit import foretold
from ongpu.plan.running import in_old_drop_in
from ongpu.plan.store import directory
from ongpu.plan.types import Change
from ongpu.spec.model import ModelSpec

PULL_SECONDS = 4 * 3600
PULL_TRIES = 4
PROGRESS = "/run/ongpu/pull"  # one line about the pull that runs now


def _changes(context: Context) -> list[Change]:
    install_of(context)
    if not context.spec.models:
        return []  # nothing declared is no order to remove everything
    context.wait_for("fit")
    _wait_for_the_store(context)
    present = {full(model.name): model for model in _store(context)}
    return [*_pulls(context, present), *_derived(context, present), *_prunes(context, present)]


def _pulls(context: Context, present: Mapping[str, Model]) -> Iterator[Change]:
    wanted = {name: spec for name, spec in context.spec.models.items() if not spec.from_}
    for spec in context.spec.models.values():
        if spec.from_:
            wanted[spec.from_] = ModelSpec(digest=spec.digest)
    found = (_change(context, name, spec, present.get(full(name))) for name, spec in wanted.items())
    yield from (change for change in found if change)


def _derived(context: Context, present: Mapping[str, Model]) -> Iterator[Change]:
    models = {name: spec for name, spec in context.spec.models.items() if spec.from_}
    found = (derived.change(context, name, spec, present) for name, spec in models.items())
    yield from (change for change in found if change)


def _prunes(context: Context, present: Mapping[str, Model]) -> Iterator[Change]:
    """Only what is neither declared, nor a base of what is, nor loaded; asked again just before each is removed."""
    if not context.spec.ollama.prune:
        return
    keep = {full(name) for name in context.spec.models}
    keep |= {full(spec.from_) for spec in context.spec.models.values() if spec.from_}
    api = value_or_none(context.snapshot.api)
    loaded = known(api.loaded, "which models are in use") if api else ()
    keep |= {full(model.name) for model in loaded}
    for name, model in present.items():
        if name not in keep:
            yield _removal(context, model)


def _removal(context: Context, model: Model) -> Change:
    step = shell.run(
        f"remove {model.name}",
        "prune",
        seconds=120,
        API=api_url(context.spec.ollama.listen),
        NAME=model.name,
        BODY=json.dumps({"model": model.name}),
    )
    size = f"{model.size_bytes / 1024**3:.1f} GiB, not declared"
    return Change(resource="models", summary=f"remove {model.name} ({size})", steps=(step,))


def _wait_for_the_store(context: Context) -> None:
    """Raises Later where the restart brings another models directory: what is in the present one says nothing."""
    restart = context.earlier.of("restart")
    service = value_or_none(context.snapshot.service)
    process = value_or_none(service.main) if service else None
    running = value_or_none(process.environ) if process else None
    if service is None or running is None or restart.empty:
        return
    wanted = context.spec.ollama.models_dir
    if wanted is None and "OLLAMA_MODELS" not in in_old_drop_in(context):
        wanted = service.environment.get("OLLAMA_MODELS")  # someone else's unit or drop-in
    if running.get("OLLAMA_MODELS") != wanted:
        raise Later("can only be known once Ollama runs with its new models directory")


def _store(context: Context) -> tuple[Model, ...]:
    match context.snapshot.api:
        case Known(value=api):
            models = api.models
        case Absent() | Unreadable() as blind:
            models = Unreadable(because(blind))
    match models:
        case Known(value=present):
            return present
        case Absent(why=why) | Unreadable(why=why):
            if not is_running(context) or context.pending("restart"):
                raise Later("can only be known once Ollama answers")
            raise Halt("unknown", f"cannot tell which models are there: {why}")


def _change(context: Context, name: str, spec: ModelSpec, model: Model | None) -> Change | None:
    digest = (spec.digest or "").removeprefix("sha256:").lower()
    if model and (not digest or model.digest == digest):
        return None
    summary = f"pull {name}"
    if model:
        summary += f" (it is sha256:{model.digest[:12]}, declared sha256:{digest[:12]})"
    step = shell.run(
        f"pull {name}",
        "pull",
        seconds=PULL_SECONDS + 120,
        progress=PROGRESS,
        API=api_url(context.spec.ollama.listen),
        MODEL=name,
        NAME=full(name),
        BODY=json.dumps({"model": name}),
        DIGEST=digest,
        STORE=directory(context),
        SECONDS_LIMIT=str(PULL_SECONDS),
        TRIES=str(PULL_TRIES),
        PAUSE="2",
        VERSION=context.spec.ollama.release,
        PROGRESS=PROGRESS,
    )
    return Change(
        resource="models",
        summary=summary,
        steps=(step,),
        diff=". ".join(filter(None, (foretold(context, name), swapped(context)))),
    )


RESOURCE = Resource(name="models", applies=lambda spec: spec.ollama.wanted, changes=_changes)

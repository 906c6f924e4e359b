"""The declared models are in the store, with the declared digest."""

from __future__ import annotations

import json

from ongpu.host.ollama import Model
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt, Later, Resource, because
from ongpu.plan.endpoint import api_url
from ongpu.plan.names import full_name
from ongpu.plan.policy import is_running
from ongpu.plan.release import install_of
from ongpu.plan.resources.fit import foretold
from ongpu.plan.running import in_old_drop_in
from ongpu.plan.store import directory
from ongpu.plan.types import Change
from ongpu.spec.model import ModelSpec

PULL_SECONDS = 4 * 3600


def _changes(context: Context) -> list[Change]:
    install_of(context)
    if not context.spec.models:
        return []
    context.wait_for("fit")
    _wait_for_the_store(context)
    present = {full_name(model.name): model for model in _store(context)}
    found = (_change(context, name, spec, present.get(full_name(name))) for name, spec in context.spec.models.items())
    return [change for change in found if change]


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
        API=api_url(context.spec.ollama.listen),
        MODEL=full_name(name),
        BODY=json.dumps({"model": full_name(name)}),
        DIGEST=digest,
        STORE=directory(context),
        SECONDS_LIMIT=str(PULL_SECONDS),
    )
    return Change(resource="models", summary=summary, steps=(step,), diff=foretold(context, name))


RESOURCE = Resource(name="models", applies=lambda spec: spec.ollama.manage, changes=_changes)

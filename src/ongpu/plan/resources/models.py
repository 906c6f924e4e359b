"""The declared models are in the store, with the declared digest."""

from __future__ import annotations

import json

from ongpu.host.ollama import Model
from ongpu.host.paths import ACCOUNT_HOME
from ongpu.host.reading import Absent, Known, Unreadable, value_or_none
from ongpu.plan import shell
from ongpu.plan.context import Context, Halt, Later, Resource, because
from ongpu.plan.endpoint import api_url
from ongpu.plan.policy import is_running
from ongpu.plan.release import install_of
from ongpu.plan.types import Change
from ongpu.spec.model import ModelSpec

PULL_SECONDS = 4 * 3600


def full_name(name: str) -> str:
    """`llama3.1` -> `llama3.1:latest`, as the API lists it (Ollama, types/model/name.go)."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _changes(context: Context) -> list[Change]:
    install_of(context)
    if not context.spec.models:
        return []
    present = {full_name(model.name): model for model in _store(context)}
    found = (_change(context, name, spec, present.get(full_name(name))) for name, spec in context.spec.models.items())
    return [change for change in found if change]


def _store(context: Context) -> tuple[Model, ...]:
    match context.snapshot.api:
        case Known(value=api):
            models = api.models
        case Absent(why=why) | Unreadable(why=why):
            models = Unreadable(why)
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
        STORE=_directory(context),
        SECONDS_LIMIT=str(PULL_SECONDS),
    )
    return Change(resource="models", summary=summary, steps=(step,))


def _directory(context: Context) -> str:
    """Where the service keeps its models; only for the question whether they fit."""
    if context.spec.ollama.models_dir:
        return context.spec.ollama.models_dir
    install = value_or_none(context.snapshot.ollama)
    account = value_or_none(install.account) if install else None
    return f"{account.home if account and account.home else ACCOUNT_HOME}/.ollama/models"


RESOURCE = Resource(name="models", applies=lambda spec: spec.ollama.manage, changes=_changes)

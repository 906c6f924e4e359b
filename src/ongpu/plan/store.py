"""Ollama's store on the host: which models are there, and where their files lie."""

from __future__ import annotations

from ongpu.host.model_name import full
from ongpu.host.ollama import Model
from ongpu.host.paths import ACCOUNT_HOME
from ongpu.host.reading import value_or_none
from ongpu.plan.context import Context


def stored(context: Context, name: str) -> Model | None:
    """The model as it is in the store; None if it is not there, or that is not known."""
    api = value_or_none(context.snapshot.api)
    models = value_or_none(api.models) if api else None
    return next((model for model in models or () if full(model.name) == full(name)), None)


def directory(context: Context) -> str:
    """Where the service keeps its models."""
    if context.spec.ollama.models_dir:
        return context.spec.ollama.models_dir
    service = value_or_none(context.snapshot.service)
    if service and (elsewhere := service.environment.get("OLLAMA_MODELS")):
        return elsewhere
    install = value_or_none(context.snapshot.ollama)
    account = value_or_none(install.account) if install else None
    return f"{account.home if account and account.home else ACCOUNT_HOME}/.ollama/models"

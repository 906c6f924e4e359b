"""The models that a host serves, as they are declared."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from ongpu.host.model_name import full
from ongpu.spec import values

_SHA256 = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_SCALAR = {"type": ["string", "number", "boolean"]}
_PARAMETERS = {
    "type": "object",
    "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": {"type": "string"}}]},
}

Sha256 = Annotated[str, AfterValidator(values.sha256), WithJsonSchema(_SHA256)]


class ModelSpec(BaseModel):
    """A model that the host serves, fully on the GPU."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    digest: Annotated[
        Sha256 | None,
        Field(description="sha256:... of the manifest (with `from`: of its base's); a moved tag is then drift."),
    ] = None
    context: Annotated[int | None, Field(ge=4, description="num_ctx per request slot.")] = None
    kv_cache_type: Literal["f16", "q8_0", "q4_0"] | None = None
    parallel: Annotated[int | None, Field(ge=1, le=64)] = None
    min_tokens_per_second: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    from_: Annotated[
        Annotated[str, AfterValidator(values.model)] | None,
        Field(alias="from", description="Base model: this one is made from it on the host, with its own settings."),
    ] = None
    parameters: Annotated[
        dict[str, Any],
        AfterValidator(values.parameters),
        WithJsonSchema(_PARAMETERS),
        Field(description="Parameters of a model with `from`, as in a Modelfile (temperature, stop, ...)."),
    ] = {}

    @model_validator(mode="after")
    def _derived_or_not(self) -> ModelSpec:
        if self.parameters and not self.from_:
            raise ValueError("`parameters` are those of a derived model: say which model it is made `from`")
        return self

    @property
    def own_context(self) -> int | None:
        """num_ctx of a derived model: its own, not the service's."""
        return self.context if self.from_ else None


def one_name_per_file(models: dict[str, ModelSpec]) -> dict[str, ModelSpec]:
    """Ollama keeps one runner for each file of weights (server/sched.go; seen): two names of one file push each other
    out, and could never be proven side by side."""
    names: dict[str, str] = {}
    for name, model in models.items():
        other = names.setdefault(full(model.from_ or name), name)
        if other != name:
            raise ValueError(
                f"{other} and {name} have the same weights, and Ollama keeps only one of them loaded: declare one"
            )
    return models

"""What is declared of the drift check that runs by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema, model_validator

from ongpu.spec import values
from ongpu.spec.settings import STRICT

DURATION = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^([0-9]+[smhd]?)+$"}]}


class Watch(BaseModel):
    """A systemd timer that runs `ongpu drift`: on each host for itself, or with `fleet` on a controller for all."""

    model_config = STRICT

    every: Annotated[
        timedelta,
        BeforeValidator(values.period),
        WithJsonSchema(DURATION),
        Field(description="15m; a part of an hour, or of a day: 1m to 30m, 1h to 24h."),
    ] = timedelta(minutes=15)
    fleet: Annotated[
        Annotated[str, AfterValidator(values.directory)] | None,
        Field(description="Directory on this host with the fleet's inventory; default: this host watches itself."),
    ] = None
    user: Annotated[
        Annotated[str, AfterValidator(values.account)] | None,
        Field(description="Account that runs the check, and whose SSH keys it uses; with `fleet` only."),
    ] = None
    out: Annotated[
        dict[str, Annotated[str, AfterValidator(values.directory)]],
        AfterValidator(values.report_formats),
        Field(description="Reports to write: prometheus: /var/lib/prometheus/node-exporter/ongpu.prom."),
    ] = {}
    debounce: Annotated[int, Field(ge=1, le=1000, description="Looks in a row that make an alert.")] = 1
    package: Annotated[
        Annotated[str, AfterValidator(values.requirement)] | None,
        Field(description="What pip installs into /opt/ongpu/venv where there is no ongpu: a name, or a wheel's URL."),
    ] = None

    @model_validator(mode="after")
    def _who_looks(self) -> Self:
        if self.fleet and not self.user:
            raise ValueError("watch.fleet needs watch.user, the account whose SSH keys reach the fleet")
        if self.user and not self.fleet:
            raise ValueError("watch.user is for watch.fleet; a host that watches itself does it as root")
        return self

"""What is declared of the GPUs themselves."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

# Unknown keys are errors; values never change after loading.
STRICT = ConfigDict(extra="forbid", frozen=True)


def _toolkit(text: str) -> str:
    if not re.fullmatch(r"\d{1,2}\.\d{1,2}(\.\d{1,2})?", text):
        raise ValueError(f'cuda.toolkit is a version such as "12.8" or "12.8.1", not {text!r}')
    return text


class Clocks(BaseModel):
    """Locked clocks, in MHz. The driver cannot be asked for them: they are set at each boot and each load."""

    model_config = STRICT

    graphics: Annotated[
        list[Annotated[int, Field(ge=1, le=10000)]] | None,
        Field(min_length=2, max_length=2, description="[lowest, highest]"),
    ] = None
    memory: Annotated[int | None, Field(ge=1, le=20000)] = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.graphics and self.graphics[0] > self.graphics[1]:
            raise ValueError(f"driver.settings.clocks.graphics is [lowest, highest], not {self.graphics}")
        return self


class DriverSettings(BaseModel):
    """What is set on every GPU of the host, and kept over reboots; what is left out is left alone."""

    model_config = STRICT

    persistence: Annotated[bool | None, Field(description="Keep the GPUs initialised while nobody uses them.")] = None
    power_limit_watts: Annotated[int | None, Field(ge=1, le=5000)] = None
    clocks: Clocks = Clocks()
    ecc: Annotated[bool | None, Field(description="A change needs a reboot, which driver.reboot must allow.")] = None
    compute_mode: Literal["default", "exclusive_process"] | None = None


class Cuda(BaseModel):
    """The CUDA toolkit. Ollama needs none: only for hosts that compile CUDA programs as well."""

    model_config = STRICT

    toolkit: Annotated[
        Annotated[str, AfterValidator(_toolkit)] | None,
        Field(description='"12.8", or an exact "12.8.1" (apt); held, and checked against driver and GPUs.'),
    ] = None

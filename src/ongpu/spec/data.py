"""One host's declared state from a plain mapping (pyinfra host data, JSON)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ongpu.errors import ConfigError
from ongpu.spec.model import HostSpec


def from_data(data: Mapping[str, Any]) -> HostSpec:
    """The HostSpec in a merged mapping. Raises ConfigError: one line per error, each naming the host and the key."""
    name = str(data.get("name", "host"))
    try:
        return HostSpec.model_validate(dict(data))
    except ValidationError as error:
        lines = [
            f"{name}: ongpu.{'.'.join(str(part) for part in e['loc'])}: {e['msg'].lower()}" for e in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from None

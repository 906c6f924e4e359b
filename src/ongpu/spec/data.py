"""One host's declared state from a plain mapping (pyinfra host data, JSON)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ongpu.errors import ConfigError
from ongpu.spec.model import HostSpec
from ongpu.spec.sentences import in_words


def from_data(data: Mapping[str, Any]) -> HostSpec:
    """The HostSpec in a merged mapping. Raises ConfigError: one line per error, each naming the host and the key."""
    name = str(data.get("name", "host"))
    try:
        spec = HostSpec.model_validate(dict(data))
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            path = tuple(str(part) for part in problem["loc"])
            lines.append(f"{name}: ongpu.{'.'.join(path)}: {in_words(path, dict(problem))}")
        raise ConfigError("\n".join(lines)) from None
    repository = spec.driver.repository
    if repository.key is not None and repository.key_text is None:
        raise ConfigError(
            f"{name}: ongpu.driver.repository.key: {repository.key} is only read for a YAML inventory; in host data "
            "give the key itself as key_text"
        )
    return spec

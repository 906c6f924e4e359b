"""Where `ongpu fit` takes its facts from: files of models, and registries."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ongpu.cli._fit_registry import fetch
from ongpu.errors import ConfigError
from ongpu.fit import gguf
from ongpu.fit.description import Description, of_header, of_model_info
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.manifest import place_of

_MOST_JSON = 64 * 1024 * 1024


def is_a_name(name: str) -> bool:
    """A model's name, and not the path of a file?"""
    return not (Path(name).is_file() or name.startswith((".", "/", "~")) or name.endswith(".gguf"))


def read_model(name: str, info: str | None) -> Description:
    """A model from `--model-info`, else the GGUF file or blob that its name points at, else from its registry.

    Raises ConfigError (no such file) or InsufficientFacts (the file says too little).
    """
    path = Path(info or name)
    if not path.is_file():
        if info:
            raise ConfigError(f"there is no file {info}", "--model-info")
        if not is_a_name(name):
            raise ConfigError(f"there is no file {name}", "MODEL")
        place = place_of(name)
        if place is None:
            raise InsufficientFacts(
                f"{name}: neither a file nor the name of a model; give a GGUF file, a name, or --model-info FILE"
            )
        return fetch(name, place)
    try:
        with path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return of_header(name if info else path.name, _header(file))
        if path.stat().st_size > _MOST_JSON:
            raise InsufficientFacts(f"{path}: neither a GGUF file nor a model_info of less than 64 MiB")
        return of_model_info(name, json.loads(path.read_bytes()))
    except InsufficientFacts as error:
        raise InsufficientFacts(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise InsufficientFacts(f"{path}: neither a GGUF file nor JSON") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _header(file: BinaryIO) -> gguf.Header:
    """Reads as much of the file as its header needs."""
    for size in (1 << 20, 16 << 20):
        file.seek(0)
        with suppress(gguf.CutOff):
            return gguf.parse(file.read(size))
    file.seek(0)
    return gguf.parse(file.read(gguf.MOST_BYTES))

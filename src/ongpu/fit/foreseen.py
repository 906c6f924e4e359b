"""What is known of a declared model before it is loaded: from the host's store, or from its registry before a pull."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ongpu.fit import gguf
from ongpu.fit.description import Description, of_header, of_model_info
from ongpu.fit.facts import InsufficientFacts

Kind = Literal["gguf", "safetensors", "remote", "absent", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """One declared model. `why` = why there is no description, in words.

    `digests`: sha256 (hex) of the manifest that the registry offers, in the spellings that Ollama may store it in;
    empty when no registry was asked. `kind` absent: the registry knows no such model. `size_bytes`: all its layers;
    `missing_bytes`: what of them is not in the store yet. `num_ctx`: the context that the model itself asks for, which
    beats the service's; None = none.
    """

    description: Description | None = None
    why: str = ""
    kind: Kind = "unknown"
    digests: tuple[str, ...] = ()
    size_bytes: int = 0
    missing_bytes: int = 0
    num_ctx: int | None = None


def of_beginning(name: str, data: bytes, file_bytes: int, projector_bytes: int = 0) -> tuple[Description | None, int]:
    """(description, 0) from a whole header, else what its beginning allows, and how many bytes the whole may take.

    The vocabulary makes nearly all of a header: some 36 bytes for a token, merges included (seen from 5.4 MB for
    152,000 tokens to 9.4 MB for 262,000). Raises InsufficientFacts for what is no GGUF file.
    """
    try:
        return of_header(name, gguf.parse(data), projector_bytes), 0
    except gguf.CutOff:
        header = gguf.beginning(data)
    info = dict(header.info)
    arch = info.get("general.architecture")
    if header.tokens:
        info.setdefault(f"{arch}.vocab_size", header.tokens)
    body = {"model_info": info, "file_size_bytes": file_bytes, "projector_bytes": projector_bytes}
    more = min(file_bytes, 256 * 1024 + 48 * header.tokens if header.tokens else 16 * len(data))
    try:
        return of_model_info(name, body), more
    except InsufficientFacts:
        return None, more


def of_show(name: str, body: Mapping[str, Any], stored_bytes: int) -> Foreseen:
    """From Ollama's /api/show, which lists the tensors; `stored_bytes` as /api/tags has it, all files together."""
    if body.get("remote_host") or body.get("remote_model"):
        return Foreseen(kind="remote", why="it is a cloud model")
    try:
        described = of_model_info(name, body)
        if isinstance(body.get("projector_info"), Mapping):
            rest = max(0, stored_bytes - described.tensors.file_bytes)
            described = of_model_info(name, {**body, "projector_bytes": rest})
    except InsufficientFacts as error:
        return Foreseen(kind="gguf", why=str(error))
    return Foreseen(description=described, kind="gguf", size_bytes=stored_bytes, num_ctx=_num_ctx(body))


def _num_ctx(body: Mapping[str, Any]) -> int | None:
    """`parameters` is text, one parameter on a line: `num_ctx                        8192`."""
    text = body.get("parameters")
    for line in text.split("\n") if isinstance(text, str) else ():
        name, _, value = line.strip().partition(" ")
        if name == "num_ctx" and value.strip().isdecimal() and len(value.strip()) < 10:
            return int(value) or None
    return None

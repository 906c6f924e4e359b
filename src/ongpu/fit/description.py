"""What is known of a model before it is loaded, from a GGUF header or from model_info, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ongpu.fit.estimate import estimate
from ongpu.fit.facts import Facts, InsufficientFacts, facts_of
from ongpu.fit.gguf import Header
from ongpu.fit.tensors import PROJECTOR, Tensor, Tensors, add_up

_MOST_TENSORS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A model: its name for people, its facts, its tensors. `projector_bytes` = a vision model's second file."""

    name: str
    facts: Facts
    tensors: Tensors
    projector_bytes: int = 0


def of_header(name: str, header: Header, projector_bytes: int = 0) -> Description:
    """Raises InsufficientFacts if the header lacks what memory depends on."""
    facts = facts_of(header.info, header.tokens or header.embedding_rows)
    inside = sum(tensor.size_bytes for tensor in header.tensors if tensor.name.startswith(PROJECTOR))
    tensors = add_up(header.tensors, facts)
    return Description(name=name, facts=facts, tensors=tensors, projector_bytes=projector_bytes + inside)


def of_model_info(name: str, body: object) -> Description:
    """From `{"model_info": {...}, "file_size_bytes": N, "tensors": [...], "projector_bytes": N}`.

    A tensor is `{"name", "type", "shape"}` or `{"name", "bytes"}`. Without tensors, bytes are estimated from the
    file's size. Also takes the answer of Ollama's /api/show. Raises InsufficientFacts.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("model_info"), Mapping):
        raise InsufficientFacts(f"{name}: expected a JSON object with the key model_info")
    info = body["model_info"]
    listed = [_tensor(name, item) for item in _list(name, body.get("tensors"))]
    rows = next((shape[1] for tensor, shape in listed if tensor.name == "token_embd.weight" and len(shape) > 1), 0)
    facts = facts_of(info, rows)
    if listed:
        tensors = add_up((tensor for tensor, _ in listed), facts)
    else:
        tensors = estimate(facts, info, _size(name, body, "file_size_bytes"))
    projector = sum(tensor.size_bytes for tensor, _ in listed if tensor.name.startswith(PROJECTOR))
    projector += _size(name, body, "projector_bytes")
    return Description(name=name, facts=facts, tensors=tensors, projector_bytes=projector)


def _list(name: str, value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST_TENSORS:
        raise InsufficientFacts(f"{name}: tensors must be a list")
    return value


def _tensor(name: str, item: object) -> tuple[Tensor, tuple[int, ...]]:
    if isinstance(item, Mapping) and isinstance(item.get("name"), str):
        shape = item.get("shape", item.get("ne"))
        extents = tuple(shape) if isinstance(shape, list) else ()
        good = bool(extents) and all(type(e) is int and 0 <= e < 2**40 for e in extents)
        size, kind = item.get("bytes"), item.get("type")
        if type(size) is int and 0 <= size < 2**50:
            row = extents[0] if good and isinstance(kind, str) else 0
            return Tensor(item["name"], size, kind if row and isinstance(kind, str) else "", row), extents
        if good and isinstance(kind, str):
            return Tensor.shaped(item["name"], kind, extents), extents
    raise InsufficientFacts(f"{name}: a tensor must have name, type and shape, or name and bytes; got {str(item)[:80]}")


def _size(name: str, body: Mapping[str, object], key: str) -> int:
    value = body.get(key, 0)
    if type(value) is int and 0 <= value < 2**50:
        return value
    raise InsufficientFacts(f"{name}: {key} must be a number of bytes, not {str(value)[:40]!r}")

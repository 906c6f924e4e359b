"""What is wrong with a value or a key, as one sentence for an operator, with the nearest known word. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

from ongpu.spec.model import HostSpec
from ongpu.spec.tree import Path


def in_words(path: Path, problem: dict[str, Any]) -> str:
    """A pydantic error as one sentence for an operator."""
    given = problem.get("input")
    match problem["type"]:
        case "extra_forbidden":
            return "unknown key" + near(path[-1], _fields(path[:-1]))
        case "model_type" | "dict_type":
            return f"expected keys and values, got {given!r}"
        case "missing":
            return "is missing"
        case "literal_error":
            return f"{given!r} is not one of {problem['ctx']['expected']}"
        case "string_type" if isinstance(given, int | float):
            return f'{given} is read as a number or boolean; put it in quotes: "{given}"'
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            return f"{problem['msg'][:1].lower()}{problem['msg'][1:]}, got {given!r}"


def near(word: object, words: Iterable[object]) -> str:
    """`; did you mean X?`, else the known words, else nothing."""
    known = [str(one) for one in words]
    close = get_close_matches(str(word), known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}" if known else ""


def _fields(path: Path) -> list[str]:
    """The keys that are known at a path of HostSpec."""
    model: type[BaseModel] | None = HostSpec
    for part in path:
        info = model.model_fields.get(part) if model else None
        inner = list(_models(info.annotation)) if info else [model] if model else []
        model = inner[0] if inner else None
    hidden = {"name", "origin", "key_text"}
    return [f.alias or name for name, f in model.model_fields.items() if name not in hidden] if model else []


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)

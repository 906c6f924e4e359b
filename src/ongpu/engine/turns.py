"""A proof in turns, where Ollama keeps fewer models loaded than are declared (OLLAMA_MAX_LOADED_MODELS).

Each turn loads what the one before had to refuse, in the place of what that one has loaded. What was resident before
the proof stays, and so does what somebody has used since. Where all declared models may be resident there is one turn
only: they must be proven side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ongpu.host.model_name import full
from ongpu.host.result import ModelResult
from ongpu.proof.case import Asked, Declared


@dataclass(frozen=True, slots=True)
class Turn:
    """`models`: who is asked in it. `ours`: full name -> expires_at of what earlier turns have loaded."""

    models: tuple[Declared, ...]
    ours: Mapping[str, str] = field(default_factory=dict)


def following(turn: Turn, answers: Sequence[Asked]) -> Turn | None:
    """The turn after this one: who was refused in it, in the place of who was loaded. None without either."""
    refused = tuple(model for model, told in zip(turn.models, answers, strict=True) if told.outcome == "refused")
    loaded = {
        full(model.name): told.expires
        for model, told in zip(turn.models, answers, strict=True)
        if told.outcome == "loaded" and told.expires
    }
    return Turn(refused, {**turn.ours, **loaded}) if refused and loaded else None


def gave_way(result: ModelResult, most: int, declared: int) -> ModelResult:
    """The result of a model that had to make room for the next turn."""
    if result.verdict != "verified":
        return result
    kept = "1 model" if most == 1 else f"{most} models"
    return replace(
        result, summary=f"{result.summary}; proven in turn: Ollama keeps at most {kept} of the {declared} declared"
    )

"""Do the models that a host declares stay on its GPUs side by side? The largest is placed first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ongpu.fit.advice import Advice, advise
from ongpu.fit.description import Description
from ongpu.fit.predict import Device, Prediction, choose, predict
from ongpu.fit.settings import Settings
from ongpu.fit.target import Asked, Target, number, settings_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model and the context that it alone asks for (None = the service's)."""

    description: Description
    num_ctx: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """`placed`: the models in the order in which they were placed. `first_bad`: the first that does not fit beside
    those before it, with what would help; `alone`: does it fit when nothing else is there?

    fits = by the prediction; `doubtful` = not by it, but within its error; `never` = not even then.
    """

    word: Literal["fits", "doubtful", "never"]
    placed: tuple[Prediction, ...]
    first_bad: Prediction | None = None
    alone: bool = False
    advice: tuple[Advice, ...] = ()


def outlook(wanted: Sequence[Wanted], target: Target) -> Outlook:
    """Only as many models as OLLAMA_MAX_LOADED_MODELS allows are resident at a time: then any so many of them must fit,
    and the largest are taken. Raises InsufficientFacts for settings that cannot be loaded."""
    most = most_loaded(target)
    largest = sorted(wanted, key=lambda one: -_weight(one, target))[:most]
    placed = _place(largest, target)
    bad = next((number for number, prediction in enumerate(placed) if not prediction.fits), None)
    if bad is None:
        return Outlook(word="fits", placed=placed)
    slack = {
        device.name: sum(share.error for p in placed for share in p.devices if share.device.name == device.name)
        for device in target.devices
    }
    roomier = _place(largest, _with(target, slack))
    here = target
    for prediction in placed[:bad]:
        here = here.after(prediction)
    return Outlook(
        word="doubtful" if all(prediction.fits for prediction in roomier) else "never",
        placed=placed,
        first_bad=placed[bad],
        alone=bad > 0 and _one(largest[bad], target).fits,
        advice=advise(placed[bad], _seen(largest[bad], here), here.occupied, fixed_batch=False),
    )


def most_loaded(target: Target) -> int:
    """How many models Ollama keeps loaded; three for each GPU where nothing is set (server/sched.go)."""
    return number(target.environment, "OLLAMA_MAX_LOADED_MODELS") or 3 * max(1, len(target.devices))


def _place(wanted: Sequence[Wanted], target: Target) -> tuple[Prediction, ...]:
    placed = []
    for one in wanted:
        placed.append(_one(one, target))
        target = target.after(placed[-1])
    return tuple(placed)


def _one(wanted: Wanted, target: Target) -> Prediction:
    return predict(wanted.description, _settings(wanted, target), _seen(wanted, target))


def _seen(wanted: Wanted, target: Target) -> Sequence[Device]:
    if not target.picks_one:
        return target.devices
    return choose(wanted.description, _settings(wanted, target), target.devices)


def _settings(wanted: Wanted, target: Target) -> Settings:
    return settings_of(wanted.description, target, Asked(num_ctx=_context(wanted)))


def _context(wanted: Wanted) -> int | None:
    if wanted.num_ctx is None:
        return None
    return min(wanted.num_ctx, wanted.description.facts.context_length or wanted.num_ctx)


def _weight(wanted: Wanted, target: Target) -> int:
    """Bytes that the whole model takes where there is room for it."""
    return _one(wanted, _with(target, {device.name: 1 << 46 for device in target.devices})).needed


def _with(target: Target, more: dict[str, int]) -> Target:
    return replace(
        target, devices=tuple(replace(d, free_bytes=d.free_bytes + more.get(d.name, 0)) for d in target.devices)
    )

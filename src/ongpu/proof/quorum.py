"""The rule by which testimonies become a verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ongpu.host.result import ModelVerdict, Testimony

API = "api"
ENOUGH = 2


def verdict(testimonies: Iterable[Testimony], placing: Collection[str]) -> ModelVerdict:
    """verified: at least two say yes, one of them tells the placement without the API, and none objects.

    `placing` names the witnesses that tell where the model's bytes are: the API, the log, the driver. The others (its
    environment, its speed) know circumstances: they may object, and their yes supports others, but the API's word and
    "nothing suspicious" are not enough together, because the API repeats a false 100 %; and their yes is no
    contradiction to who sees bytes on the CPU.
    An objection against a yes about the placement is a disagreement, any other is not_verified; fewer is unknown.
    """
    said = [(testimony.witness, testimony.says) for testimony in testimonies]
    yes = {witness for witness, says in said if says == "yes"}
    placed = {witness for witness in yes if witness in placing}
    if any(says == "no" for _, says in said):
        return "disagreement" if placed else "not_verified"
    return "verified" if len(yes) >= ENOUGH and placed - {API} else "unknown"

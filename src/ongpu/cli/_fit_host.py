"""What a host tells for `ongpu fit --host`: its GPUs and settings, and the models, of its store or of its registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ongpu.errors import HostError
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.foreseen import Foreseen
from ongpu.fit.target import Target, target_of
from ongpu.fit.together import Wanted
from ongpu.fleet.options import Options
from ongpu.host.reading import value_or_none
from ongpu.host.snapshot import HostSnapshot

_URL = "http://127.0.0.1:11434"


@dataclass(frozen=True, slots=True)
class Seen:
    """A host that was looked at, and what it means for a prediction."""

    host: str
    snapshot: HostSnapshot
    target: Target


def look(name: str, chosen: Options) -> Seen:
    """One round trip. Raises HostError if the host or its GPUs cannot be read."""
    from ongpu.fleet.snapshot import snapshot_fleet
    from ongpu.host import codec

    for host, body, why in snapshot_fleet(chosen, keep_secrets=True):  # a proxy's password is needed, and never shown
        if body is None:
            raise HostError(f"{host}: {why}")
        snapshot = codec.load(body)
        return Seen(host, snapshot, target_of(host, snapshot))
    raise HostError(f"{name}: the host gave no answer")


def ask(seen: Seen, models: Sequence[str], chosen: Options) -> dict[str, Wanted]:
    """What the host's Ollama or, for models that are not in its store, its registry tells of them: by name.

    One round trip, or two. Raises InsufficientFacts, with one sentence, for the first that says too little.
    """
    from ongpu.engine.ahead import look_ahead, place_on
    from ongpu.engine.answer import Answer
    from ongpu.fleet.snapshot import ask_fleet

    def run(script: str, seconds: int) -> Answer:
        return next((answer for _, answer in ask_fleet(chosen, script, seconds)), Answer("", "the host gave no answer"))

    api = value_or_none(seen.snapshot.api)
    place = place_on(seen.snapshot, api.endpoint if api else _URL)
    found = look_ahead(run, dict.fromkeys(models), place, seen.snapshot)
    wanted = {}
    for name, one in found.items():
        if one.description is None:
            raise InsufficientFacts(
                f"{name}: {_why(one)} (asked on {seen.host}); else give a GGUF file or --model-info"
            )
        wanted[name] = Wanted(one.description, one.num_ctx)
    return wanted


def _why(one: Foreseen) -> str:
    match one.kind:
        case "remote":
            return "it is a cloud model, which runs at its provider and on no GPU of yours"
        case "safetensors":
            return "it is a safetensors model, which only Ollama's MLX engine loads"
        case "absent":
            return "the registry knows no such model: check its name and its tag"
        case _:
            return one.why or "its size is not told"

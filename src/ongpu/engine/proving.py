"""Between spec, host and proof: what is declared, the script that asks for it, and the verdicts on the answer."""

from __future__ import annotations

from collections.abc import Mapping

from ongpu.engine import loading
from ongpu.engine.asked import asked
from ongpu.engine.turns import Turn, following
from ongpu.host.ollama import Model
from ongpu.host.reading import Known, value_or_none
from ongpu.host.result import ModelResult
from ongpu.host.snapshot import HostSnapshot
from ongpu.proof import names
from ongpu.proof.case import Declared, case
from ongpu.proof.judge import judge
from ongpu.spec.model import HostSpec, ModelSpec


def declared(spec: HostSpec) -> tuple[Declared, ...]:
    """The models that a host serves, in the spec's order.

    The context length is one setting for the whole service, so a model may also run with the largest declared one.
    """
    largest = max((model.context for model in spec.models.values() if model.context and not model.from_), default=0)
    gpus = () if spec.ollama.gpus == "all" else tuple(spec.ollama.gpus)
    return tuple(
        Declared(
            host=spec.name,
            name=name,
            digest="" if model.from_ else model.digest or "",
            contexts=_contexts(model, largest),
            min_tokens_per_second=model.min_tokens_per_second,
            gpus=gpus,
        )
        for name, model in spec.models.items()
    )


def _contexts(model: ModelSpec, largest: int) -> tuple[int, ...]:
    if model.context is None:
        return ()
    return (model.context,) if model.from_ else tuple(dict.fromkeys((model.context, largest)))


def first_turn(spec: HostSpec) -> Turn:
    return Turn(declared(spec))


def load_script(spec: HostSpec, before: HostSnapshot, load: bool, turn: Turn | None = None) -> str:
    """POSIX sh that asks Ollama for every declared model (of a turn: for its models), and loads it if `load` and
    nothing is evicted for it.

    `before` tells sizes and settings; what is resident is asked on the host when the script runs. It may be followed
    by another script.
    """
    turn = turn or first_turn(spec)
    sizes = {names.full(model.name): model.size_bytes for model in _stored(before)}
    wanted = tuple(
        loading.Wanted(name=model.name, file_bytes=sizes.get(names.full(model.name), 0)) for model in turn.models
    )
    return loading.text(wanted, _setting(before), load, turn.ours)


def testimony(models: tuple[Declared, ...], after: HostSnapshot, answer: str) -> tuple[ModelResult, ...]:
    """Each declared model's verdict, from the look after the load script and from that script's own answer."""
    answers = asked(answer, len(models))
    return tuple(judge(case(model, after, told)) for model, told in zip(models, answers, strict=True))


def next_turn(turn: Turn, spec: HostSpec, before: HostSnapshot, answer: str) -> Turn | None:
    """What is left to prove after `turn`, whose load script gave `answer`; None if nothing is, and where all declared
    models may be loaded side by side: then they must be."""
    following_turn = following(turn, asked(answer, len(turn.models)))
    return following_turn if following_turn and most_loaded(before) < len(spec.models) else None


def most_loaded(snapshot: HostSnapshot) -> int:
    """How many models Ollama keeps loaded (server/sched.go: three for each GPU where nothing is set)."""
    return _setting(snapshot).most


def _stored(snapshot: HostSnapshot) -> tuple[Model, ...]:
    api = value_or_none(snapshot.api)
    models = value_or_none(api.models) if api else None
    return models or ()


def _setting(snapshot: HostSnapshot) -> loading.Setting:
    environment = _environment(snapshot)
    nvml = value_or_none(snapshot.nvml)
    gpus = value_or_none(nvml.gpus) if nvml else None
    return loading.Setting(
        context=_number(environment, "OLLAMA_CONTEXT_LENGTH"),
        parallel=_number(environment, "OLLAMA_NUM_PARALLEL"),
        most=_number(environment, "OLLAMA_MAX_LOADED_MODELS") or 3 * max(1, len(gpus or ())),
    )


def _environment(snapshot: HostSnapshot) -> Mapping[str, str]:
    """Of the running server; what systemd would give it where that may not be read."""
    match snapshot.service:
        case Known(value=service):
            match service.main:
                case Known(value=process) if isinstance(process.environ, Known):
                    return process.environ.value
                case _:
                    return service.environment
        case _:
            return {}


def _number(environment: Mapping[str, str], name: str) -> int:
    """0 = not set, or not a number that Ollama would take (it then uses its default)."""
    text = environment.get(name, "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0

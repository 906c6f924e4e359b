"""All that is known about one declared model: what the witnesses are shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ongpu.host.ollama import LoadedModel, Model, Runner
from ongpu.host.ollama_log import Load, load_of, loads
from ongpu.host.reading import Absent, Known, Reading, Unreadable
from ongpu.host.snapshot import HostSnapshot
from ongpu.proof import names

Outcome = Literal["resident", "loaded", "not loaded", "refused", "failed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What is declared about a model, without defaults.

    `contexts`: the context lengths (tokens per slot) that fit the declaration, the model's own first; empty = any.
    `gpus`: UUIDs and PCI addresses that the service may use; empty = all.
    """

    host: str
    name: str
    digest: str = ""
    contexts: tuple[int, ...] = ()
    min_tokens_per_second: float | None = None
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """From /api/show. `input_bytes`: the tensors that llama.cpp keeps in the CPU's memory by design (the token
    embeddings and the like; a lookup there costs nothing). `input_tensors`: how many they are. `layers`: as
    llama.cpp counts them (blocks + output). `experts`: of each layer, 0 where there are none."""

    input_bytes: int | None = None
    input_tensors: int = 0
    layers: int | None = None
    experts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A timed generation: tokens made, and the nanoseconds that it took (`eval_count`, `eval_duration`).

    The same of the prompt (`prompt_eval_count`, `prompt_eval_duration`); 0 when it is not told.
    """

    tokens: int
    nanoseconds: int
    prompt_tokens: int = 0
    prompt_nanoseconds: int = 0

    @property
    def prompt_rate(self) -> float | None:
        """Tokens of the prompt read per second. None for too few."""
        if self.prompt_tokens < 4 or self.prompt_nanoseconds <= 0:
            return None
        return self.prompt_tokens * 1e9 / self.prompt_nanoseconds

    @property
    def rate(self) -> float | None:
        """Tokens per second. None for too few tokens: one token is reported as 1000 ns (seen on 0.33.0)."""
        if self.tokens < 4 or self.nanoseconds <= 0:
            return None
        return self.tokens * 1e9 / self.nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of asking Ollama for the model before the look.

    `resident`: it was loaded already; `loaded`: loaded for the proof; `not loaded`: it is not, and loading was not
    allowed; `refused`: allowed, but not done (`why`: what it would evict); `failed`: Ollama refused (`why`: its words).
    `runner`: does the process of a resident model answer? `silent` = it does not, though it is there (frozen), `gone` =
    it is not there, though Ollama lists the model; `runner_line`: what was seen. `blob`: file name of the weights in
    the store. `kind`: `embedding` models make no tokens. `expires`: of what was loaded for the proof, its expires_at
    right after (/api/ps); it moves when somebody uses the model.
    """

    outcome: Outcome = "unknown"
    why: str = ""
    runner: Literal["", "answers", "silent", "gone"] = ""
    runner_line: str = ""
    blob: str = ""
    kind: Literal["text", "embedding"] = "text"
    shape: Shape = Shape()
    generation: Generation | None = None
    trouble: str = ""
    expires: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One model: declared, asked for, and what the look found of it. `load` is the log's part about this runner."""

    declared: Declared
    asked: Asked
    snapshot: HostSnapshot
    stored: Reading[Model]
    resident: Reading[LoadedModel]
    runner: Reading[Runner]
    load: Reading[Load]


def case(declared: Declared, snapshot: HostSnapshot, asked: Asked) -> Case:
    """Find the model's own parts in a snapshot. Never raises: what is not there is Absent or Unreadable."""
    resident = _resident(snapshot, declared.name)
    runner = _runner(snapshot, asked, resident)
    return Case(
        declared=declared,
        asked=asked,
        snapshot=snapshot,
        stored=_stored(snapshot, declared.name),
        resident=resident,
        runner=runner,
        load=_load(snapshot, runner),
    )


def _stored(snapshot: HostSnapshot, name: str) -> Reading[Model]:
    if not isinstance(snapshot.api, Known):
        return snapshot.api
    match snapshot.api.value.models:
        case Known(value=models, source=source):
            found = _named(models, name)
            return Known(found, source) if found else Absent(f"{name} is not in the store")
        case blind:
            return blind


def _resident(snapshot: HostSnapshot, name: str) -> Reading[LoadedModel]:
    if not isinstance(snapshot.api, Known):
        return snapshot.api
    match snapshot.api.value.loaded:
        case Known(value=models, source=source):
            found = next((model for model in models if names.full(model.name) == names.full(name)), None)
            return Known(found, source) if found else Absent("it is not loaded")
        case blind:
            return blind


def _named(models: Iterable[Model], name: str) -> Model | None:
    return next((model for model in models if names.full(model.name) == names.full(name)), None)


def _runner(snapshot: HostSnapshot, asked: Asked, resident: Reading[LoadedModel]) -> Reading[Runner]:
    if isinstance(resident, Absent):
        return Absent("it is not loaded")
    if not isinstance(snapshot.service, Known):
        return snapshot.service
    match snapshot.service.value.runners:
        case Known(value=runners, source=source):
            return _pick(runners, source, asked, snapshot)
        case blind:
            return blind


def _pick(runners: tuple[Runner, ...], source: str, asked: Asked, snapshot: HostSnapshot) -> Reading[Runner]:
    own = [runner for runner in runners if not runner.orphan]
    orphans = [str(runner.process.pid) for runner in runners if runner.orphan]
    left = f" (left over from another server: process {', '.join(orphans)})" if orphans else ""
    if not own:
        return Absent(f"no runner process of the service holds a model{left}")
    if asked.blob:
        fitting = [runner for runner in own if names.blob(runner.model_path) == names.blob(asked.blob)]
        if not fitting:
            return Absent(f"none of the service's {len(own)} runner processes holds {asked.blob[:19]}{left}")
        if len(fitting) > 1:
            return Unreadable(f"{len(fitting)} runner processes hold {asked.blob[:19]}")
        return Known(fitting[0], source)
    # Without the blob's name only a single runner beside a single resident model is certain.
    if len(own) == 1 and _loaded_count(snapshot) == 1:
        return Known(own[0], source)
    return Unreadable("which runner process holds it is not known: /api/show did not name its file")


def _loaded_count(snapshot: HostSnapshot) -> int:
    api = snapshot.api
    return len(api.value.loaded.value) if isinstance(api, Known) and isinstance(api.value.loaded, Known) else 0


def _load(snapshot: HostSnapshot, runner: Reading[Runner]) -> Reading[Load]:
    if not isinstance(runner, Known):
        return runner
    match snapshot.journal:
        case Known(value=journal, source=source):
            load = load_of(loads(journal.lines), runner.value.model_path, runner.value.port)
            if load is None:
                return Absent("the log does not show its load" + (" (lines are left out)" if journal.truncated else ""))
            return Known(load, source)
        case blind:
            return blind

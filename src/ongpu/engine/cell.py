"""What ongpu remembers about one pyinfra host during one run. Lives on the Host and dies with its State."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ongpu.errors import ConfigError, Exit
from ongpu.fit.foreseen import Foreseen
from ongpu.host.result import Finding, ModelResult, PlannedChange, RuleFix, Unknown
from ongpu.host.snapshot import HostSnapshot
from ongpu.plan.types import Interrupts, Limits, Now, Plan
from ongpu.spec import from_data
from ongpu.spec.merge import merge
from ongpu.spec.model import HostSpec

if TYPE_CHECKING:
    from pyinfra.api.host import Host

KEY = "ongpu"


@dataclass(slots=True)
class Trouble:
    """Why this host failed: one sentence, and the exit code of its class."""

    sentence: str
    code: Exit


@dataclass(slots=True)
class Cell:
    """`shown`: resource -> the most it may interrupt, as the operator saw it; None = no plan was shown (`-y`)."""

    spec: HostSpec | None = None
    given: Mapping[str, Any] | None = None  # what the operation itself declares, over the host's data
    snapshot: HostSnapshot | None = None
    age: tuple[bool, int] | None = None
    ours: set[str] = field(default_factory=set)
    shown: dict[str, Interrupts] | None = None
    changes: dict[tuple[str, str], PlannedChange] = field(default_factory=dict)
    planned: tuple[HostSpec, HostSnapshot, Limits, Now, Plan] | None = None  # from what, and when
    foreseen: tuple[bool, Mapping[str, Foreseen]] | None = None  # of which phase (executing?), by declared name
    models: tuple[ModelResult, ...] = ()
    fixes: dict[str, RuleFix] = field(default_factory=dict)  # rule -> what became of its repair
    gpus: Finding | Unknown | None = None  # what is wrong with the expected GPUs
    trouble: Trouble | None = None
    broken: bool = False  # an interrupting change, or the proof after it, failed: counted by the breaker
    told: set[str] = field(default_factory=set)  # what a dry run has said already
    run: str = ""  # id of the run, as in `ongpu history`; made up where nobody gave one
    _name: str = ""

    def run_name(self) -> str:
        """`20261124T153000Z-3f2a9c41d0be`: under this name the host keeps what it had before the run. In the order of
        time; the same for all changes of one run."""
        if not self._name:
            self._name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{self.run or uuid.uuid4().hex[:12]}"
        return self._name

    def note(self, change: PlannedChange) -> None:
        """The latest state of a change replaces the earlier one (planned -> done or failed)."""
        self.changes[change.resource, change.summary] = change

    def fail(self, sentence: str, code: Exit) -> None:
        """The first trouble is the cause; what follows from it is not kept."""
        if self.trouble is None:
            self.trouble = Trouble(sentence, code)


def cell_of(host: Host) -> Cell:
    """The host's cell, made on first use. `context.host` is a proxy: pass the Host itself."""
    cell = host.connector_data.get(KEY)
    if not isinstance(cell, Cell):
        cell = Cell()
        host.connector_data[KEY] = cell
    return cell


def host_data(host: Host, key: str) -> object:
    """A value of the host's pyinfra data, or None."""
    return host.data.dict().get(key)


def declare(host: Host, given: Mapping[str, Any] | None) -> None:
    """From here on the host is declared as its data key `ongpu` says, with `given` merged over it."""
    cell = cell_of(host)
    if cell.given != given:
        cell.given, cell.spec = given, None


def _standing_alone(given: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a spec, for a host without one: the other parts are nobody's to manage."""
    return {"driver": {"manage": False}, "ollama": {"manage": False, "release": "0"}, **given}


def spec_of(host: Host) -> HostSpec:
    """The host's declared state: its data key `ongpu`, and what the operation declares. Raises ConfigError with one
    sentence."""
    cell = cell_of(host)
    if cell.spec is None:
        data = host_data(host, KEY)
        if cell.given is not None and (data is None or isinstance(data, Mapping)):
            data = _standing_alone(cell.given) if data is None else merge(data, cell.given)
        cell.spec = spec_in(host.name, data)
    return cell.spec


def spec_in(name: str, data: object) -> HostSpec:
    """The declared state in the value of a host's data key `ongpu` (None = it has none). Raises ConfigError."""
    if data is None:
        raise ConfigError(
            f"{name} has no ongpu spec, so nothing is changed: declare it in inventory/*.yaml "
            "(or give it the host data key `ongpu`)"
        )
    if not isinstance(data, Mapping):
        raise ConfigError(f"{name}: the host data key `ongpu` must be a mapping")
    return from_data({"name": name, **data})

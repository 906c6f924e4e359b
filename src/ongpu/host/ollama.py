"""Ollama on a host: installation, service, API answers, and the service's journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ongpu.host.reading import NOT_LOOKED, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaBinary:
    """An `ollama` executable on the path or named by the unit. `resolved` = after all symlinks."""

    path: str
    resolved: str
    version: Reading[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryTree:
    """A `lib/ollama` directory: its entries, directories with a trailing slash (`cuda_v12/`)."""

    path: str
    entries: tuple[str, ...]
    backends: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The service's user as in getent; `groups` by name."""

    name: str
    uid: int
    home: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaInstall:
    """`release` is the version that our `current` link points at (see `ongpu.host.paths`); `kept` = the
    version directories that are there; `previous` is what `current` pointed at before, empty where that is not known;
    `packaging` is `snap`, `docker`, `deb`, ... where one was found; `container_has_gpu`: does a container in which
    Ollama runs have device nodes of a GPU?"""

    binaries: tuple[OllamaBinary, ...]
    trees: tuple[LibraryTree, ...]
    release: Reading[str]
    kept: tuple[str, ...]
    account: Reading[Account]
    packaging: tuple[str, ...]
    previous: str = ""
    container_has_gpu: Reading[bool] = NOT_LOOKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A running process. `environ` needs root or the same user; secrets in it are redacted on output."""

    pid: int
    parent_pid: int
    user: str
    exe: Reading[str]
    command: tuple[str, ...]
    environ: Reading[Mapping[str, str]]
    started_at: Reading[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A child that holds a model: `llama-server` (>= 0.30) or `ollama runner` before.

    `model_path` is the blob named on its command line, `port` its loopback port. `orphan` = its parent is
    not the service.
    """

    process: Process
    model_path: str
    port: int | None
    orphan: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """systemd's view of ollama.service, and the processes behind it.

    `environment` is the effective Environment= of all files together (not what the process started with:
    that is `main.environ`). `drop_ins` in systemd's order.
    """

    load_state: str
    active_state: str
    sub_state: str
    enabled: str
    fragment: str
    drop_ins: tuple[str, ...]
    needs_reload: bool
    user: str
    group: str
    exec_start: str
    environment: Mapping[str, str]
    environment_files: tuple[str, ...]
    properties: Mapping[str, str]
    main_pid: int
    started_at: Reading[datetime]
    restarts: int
    invocation_id: str
    main: Reading[Process]
    runners: Reading[tuple[Runner, ...]]

    @property
    def exists(self) -> bool:
        return self.load_state == "loaded"

    @property
    def is_running(self) -> bool:
        return self.active_state == "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model in the store, from /api/tags. `digest` is the manifest's sha256 without prefix."""

    name: str
    digest: str
    size_bytes: int
    family: str
    parameter_size: str
    quantization: str
    remote: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A resident model, from /api/ps. `context_length` is per slot; None before 0.9.7."""

    name: str
    digest: str
    size_bytes: int
    size_vram_bytes: int
    context_length: int | None
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """`endpoint` is the URL that was asked. An HTTP error or time-out is `Unreadable` with its words."""

    endpoint: str
    version: Reading[str]
    models: Reading[tuple[Model, ...]]
    loaded: Reading[tuple[LoadedModel, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The service's lines since its start, filtered to those that say something about GPUs and loads.

    `truncated` = the oldest lines were dropped at the cap; `suppressed` = messages that journald dropped.
    Raw lines are kept, so that a recorded host is replayed through today's parsers (`ongpu.host.ollama_log`).
    """

    lines: tuple[str, ...]
    truncated: bool
    suppressed: int

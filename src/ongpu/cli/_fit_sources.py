"""Where `ongpu fit` takes its facts from: files of models, and the GPUs of a host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from ongpu.cli._fit_registry import fetch, place_of
from ongpu.errors import ConfigError, HostError
from ongpu.fit import gguf
from ongpu.fit.advice import Occupied
from ongpu.fit.description import Description, of_header, of_model_info
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.predict import CONTEXT_BYTES, Device
from ongpu.fit.settings import PLANNERS, Flash, Planner, planner_of
from ongpu.host.gpu import Gpu, GpuProcess, Nvml
from ongpu.host.reading import Known, describe, value_or_none
from ongpu.host.snapshot import HostSnapshot

_MOST_JSON = 64 * 1024 * 1024
_TRUE = frozenset(("1", "t", "true"))
_FALSE = frozenset(("0", "f", "false"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The GPUs to predict for, and what the host's Ollama is set to."""

    devices: tuple[Device, ...]
    total_bytes: int
    environment: Mapping[str, str] = field(default_factory=dict)
    planner: Planner = PLANNERS[0]
    occupied: tuple[Occupied, ...] = ()
    picks_one: bool = False


def read_model(name: str, info: str | None) -> Description:
    """A model from `--model-info`, else the GGUF file or blob that its name points at, else from its registry.

    Raises ConfigError (no such file) or InsufficientFacts (the file says too little).
    """
    path = Path(info or name)
    if not path.is_file():
        if info:
            raise ConfigError(f"there is no file {info}", "--model-info")
        if name.startswith((".", "/", "~")) or name.endswith(".gguf"):
            raise ConfigError(f"there is no file {name}", "MODEL")
        place = place_of(name)
        if place is None:
            raise InsufficientFacts(
                f"{name}: neither a file nor the name of a model; give a GGUF file, a name, or --model-info FILE"
            )
        return fetch(name, place)
    try:
        with path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return of_header(name if info else path.name, _header(file))
        if path.stat().st_size > _MOST_JSON:
            raise InsufficientFacts(f"{path}: neither a GGUF file nor a model_info of less than 64 MiB")
        return of_model_info(name, json.loads(path.read_bytes()))
    except InsufficientFacts as error:
        raise InsufficientFacts(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise InsufficientFacts(f"{path}: neither a GGUF file nor JSON") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _header(file: BinaryIO) -> gguf.Header:
    """Reads as much of the file as its header needs."""
    for size in (1 << 20, 16 << 20):
        file.seek(0)
        with suppress(gguf.CutOff):
            return gguf.parse(file.read(size))
    file.seek(0)
    return gguf.parse(file.read(gguf.MOST_BYTES))


def target_of(host: str, snapshot: HostSnapshot) -> Target:
    """GPUs with their free memory, settings and neighbours of a host. Raises HostError if they cannot be known."""
    if not isinstance(snapshot.nvml, Known):
        raise HostError(f"{host}: the GPUs cannot be read: {describe(snapshot.nvml)}")
    nvml = snapshot.nvml.value
    if not isinstance(nvml.gpus, Known):
        raise HostError(f"{host}: the GPUs cannot be read: {describe(nvml.gpus)}")
    gpus = nvml.gpus.value
    devices = tuple(_device(host, gpu) for gpu in gpus)
    total = sum(value_or_none(gpu.memory.total_bytes) or 0 for gpu in gpus)
    version = value_or_none(snapshot.api.value.version) if isinstance(snapshot.api, Known) else None
    return Target(
        devices=devices,
        total_bytes=total,
        environment=_environment(snapshot),
        planner=planner_of(version) if version else PLANNERS[0],
        occupied=_occupied(nvml, gpus, snapshot),
        picks_one=True,
    )


def _device(host: str, gpu: Gpu) -> Device:
    free = gpu.memory.free_bytes
    if not isinstance(free, Known):
        raise HostError(f"{host}: the free memory of GPU {gpu.info.index} cannot be read: {describe(free)}")
    return Device(f"GPU {gpu.info.index} {gpu.info.name}", free.value, CONTEXT_BYTES)


def _environment(snapshot: HostSnapshot) -> Mapping[str, str]:
    """The environment of the running server, else that of its unit."""
    if not isinstance(snapshot.service, Known):
        return {}
    service = snapshot.service.value
    if isinstance(service.main, Known) and isinstance(service.main.value.environ, Known):
        return service.main.value.environ.value
    return service.environment


def _occupied(nvml: Nvml, gpus: tuple[Gpu, ...], snapshot: HostSnapshot) -> tuple[Occupied, ...]:
    if not isinstance(nvml.processes, Known):
        return ()
    runners: set[int] = set()
    if isinstance(snapshot.service, Known) and isinstance(snapshot.service.value.runners, Known):
        runners = {runner.process.pid for runner in snapshot.service.value.runners.value}
    names = {gpu.info.uuid: f"GPU {gpu.info.index} {gpu.info.name}" for gpu in gpus}
    ours = [process for process in nvml.processes.value if process.pid in runners]
    others = [process for process in nvml.processes.value if process.pid not in runners]
    programs = ", ".join(sorted({process.name.rsplit("/", 1)[-1] for process in others}))
    return (
        Occupied("unload the models that are resident (they are loaded again when asked for)", _by_gpu(ours, names)),
        Occupied(f"end the other programs on the GPUs ({programs})", _by_gpu(others, names)),
    )


def _by_gpu(processes: list[GpuProcess], names: Mapping[str, str]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for process in processes:
        name, used = names.get(process.gpu_uuid), value_or_none(process.used_bytes)
        if name and used:
            sizes[name] = sizes.get(name, 0) + used
    return sizes


def number(environment: Mapping[str, str], key: str) -> int | None:
    """A positive number of a variable, None if it is not set or no such number (Ollama then takes its default)."""
    text = environment.get(key, "").strip().strip("\"'")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) else None


def flash(environment: Mapping[str, str]) -> Flash:
    """OLLAMA_FLASH_ATTENTION as Go's strconv.ParseBool reads it; whatever else is set means on."""
    text = environment.get("OLLAMA_FLASH_ATTENTION", "").strip().strip("\"'").lower()
    answer: Literal["on", "off"] = "off" if text in _FALSE else "on"
    return answer if text else "auto"

"""The GPUs of a host as a prediction sees them, and the settings that its Ollama would load a model with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ongpu.errors import HostError
from ongpu.fit.advice import Occupied
from ongpu.fit.description import Description
from ongpu.fit.facts import InsufficientFacts
from ongpu.fit.predict import CONTEXT_BYTES, Device, Prediction
from ongpu.fit.quant import CACHE_TYPES
from ongpu.fit.settings import PLANNERS, Flash, Planner, Settings, default_batch, default_context, margin_of, planner_of
from ongpu.host.gpu import Gpu, GpuProcess, Nvml, pci_address
from ongpu.host.reading import Known, describe, value_or_none
from ongpu.host.snapshot import HostSnapshot

_FALSE = frozenset(("0", "f", "false"))
OURS = "unload the models that are resident (they are loaded again when asked for)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for, before the host's environment and Ollama's defaults; None = not asked for."""

    num_ctx: int | None = None
    parallel: int | None = None
    kv_cache_type: str | None = None
    flash: Flash | None = None
    batch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The GPUs to predict for, and what the host's Ollama is set to. `total_bytes` = of all GPUs together."""

    devices: tuple[Device, ...]
    total_bytes: int
    environment: Mapping[str, str] = field(default_factory=dict)
    planner: Planner = PLANNERS[0]
    occupied: tuple[Occupied, ...] = ()
    picks_one: bool = False

    def after(self, prediction: Prediction) -> Target:
        """What a model leaves to the next."""
        taken = {share.device.name: share.total for share in prediction.devices}
        devices = tuple(replace(d, free_bytes=max(0, d.free_bytes - taken.get(d.name, 0))) for d in self.devices)
        return replace(self, devices=devices)


def target_of(host: str, snapshot: HostSnapshot, chosen: Iterable[str] = ()) -> Target:
    """GPUs with their free memory, settings and neighbours of a host. `chosen`: UUIDs and PCI addresses of the GPUs
    that the service may use; empty = all. Raises HostError if they cannot be known."""
    if not isinstance(snapshot.nvml, Known):
        raise HostError(f"{host}: the GPUs cannot be read: {describe(snapshot.nvml)}")
    nvml = snapshot.nvml.value
    if not isinstance(nvml.gpus, Known):
        raise HostError(f"{host}: the GPUs cannot be read: {describe(nvml.gpus)}")
    gpus = _chosen(host, nvml.gpus.value, frozenset(chosen))
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


def _chosen(host: str, gpus: tuple[Gpu, ...], names: frozenset[str]) -> tuple[Gpu, ...]:
    if not names:
        return gpus
    if any(name.startswith("MIG-") for name in names):
        raise HostError(f"{host}: the memory of a MIG instance is not told with the GPUs")
    addresses = {pci_address(name) for name in names} - {None}
    return tuple(g for g in gpus if g.info.uuid in names or pci_address(g.info.pci_address) in addresses)


def _device(host: str, gpu: Gpu) -> Device:
    free = gpu.memory.free_bytes
    if not isinstance(free, Known):
        raise HostError(f"{host}: the free memory of GPU {gpu.info.index} cannot be read: {describe(free)}")
    return Device(name_of(gpu), free.value, CONTEXT_BYTES)


def name_of(gpu: Gpu) -> str:
    """`GPU 0 NVIDIA L4`: how predictions name a GPU."""
    return f"GPU {gpu.info.index} {gpu.info.name}"


def _environment(snapshot: HostSnapshot) -> Mapping[str, str]:
    """The environment of the running server, else that of its unit."""
    if not isinstance(snapshot.service, Known):
        return {}
    service = snapshot.service.value
    if isinstance(service.main, Known) and isinstance(service.main.value.environ, Known):
        return service.main.value.environ.value
    return service.environment


def _occupied(nvml: Nvml, gpus: tuple[Gpu, ...], snapshot: HostSnapshot) -> tuple[Occupied, ...]:
    """What our own runners hold, and what others hold, in this order; empty where the driver does not tell."""
    if not isinstance(nvml.processes, Known):
        return ()
    runners: set[int] = set()
    if isinstance(snapshot.service, Known) and isinstance(snapshot.service.value.runners, Known):
        runners = {runner.process.pid for runner in snapshot.service.value.runners.value}
    names = {gpu.info.uuid: name_of(gpu) for gpu in gpus}
    ours = [process for process in nvml.processes.value if process.pid in runners]
    others = [process for process in nvml.processes.value if process.pid not in runners]
    programs = ", ".join(sorted({process.name.rsplit("/", 1)[-1] for process in others}))
    return (
        Occupied(OURS, _by_gpu(ours, names)),
        Occupied(f"end the other programs on the GPUs ({programs})", _by_gpu(others, names)),
    )


def _by_gpu(processes: list[GpuProcess], names: Mapping[str, str]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for process in processes:
        name, used = names.get(process.gpu_uuid), value_or_none(process.used_bytes)
        if name and used:
            sizes[name] = sizes.get(name, 0) + used
    return sizes


def settings_of(description: Description, target: Target, asked: Asked) -> Settings:
    """The settings of a load: what is asked for, else what the host sets, else Ollama's defaults.

    Raises InsufficientFacts for an unknown cache type.
    """
    environment, facts = target.environment, description.facts
    single = facts.arch.one_slot or facts.arch.encoder
    parallel = asked.parallel or (1 if single else number(environment, "OLLAMA_NUM_PARALLEL") or 1)
    context = asked.num_ctx
    if context is None:
        context = number(environment, "OLLAMA_CONTEXT_LENGTH") or default_context(target.total_bytes)
        context = min(context, facts.context_length or context)
    kind = asked.kv_cache_type or environment.get("OLLAMA_KV_CACHE_TYPE", "").strip().lower() or "f16"
    if kind not in CACHE_TYPES:
        raise InsufficientFacts(f"the host's OLLAMA_KV_CACHE_TYPE {kind[:40]!r} is not one that llama.cpp knows")
    attention = asked.flash or flash(environment)
    return Settings(
        num_ctx=context,
        parallel=parallel,
        type_k=kind,
        type_v=kind,
        flash=attention,
        batch=asked.batch or default_batch(context * parallel, attention),
        margin_bytes=margin_of(environment, description.projector_bytes),
        planner=target.planner,
    )


def number(environment: Mapping[str, str], key: str) -> int | None:
    """A positive number of a variable, None if it is not set or no such number (Ollama then takes its default)."""
    text = environment.get(key, "").strip().strip("\"'")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) else None


def flash(environment: Mapping[str, str]) -> Flash:
    """OLLAMA_FLASH_ATTENTION as Go's strconv.ParseBool reads it; whatever else is set means on."""
    text = environment.get("OLLAMA_FLASH_ATTENTION", "").strip().strip("\"'").lower()
    answer: Literal["on", "off"] = "off" if text in _FALSE else "on"
    return answer if text else "auto"

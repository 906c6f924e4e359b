"""What only two sections of a snapshot together show, as evidence: they count differently, or contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from ongpu.host.gpu import Nvml
from ongpu.host.ollama import Api, LoadedModel, Runner, Service
from ongpu.host.reading import Known, value_or_none
from ongpu.host.snapshot import HostSnapshot
from ongpu.rules.evidence import Line


def witnesses(snapshot: HostSnapshot) -> Iterator[Line]:
    """Nothing is said where one of the two could not be read."""
    service, nvml = value_or_none(snapshot.service), value_or_none(snapshot.nvml)
    api = value_or_none(snapshot.api)
    yield from _missing_gpus(snapshot, nvml)
    if service:
        yield from _orphans(service)
        if nvml and api:
            yield from _silent_runners(api, service, nvml)


def _missing_gpus(snapshot: HostSnapshot, nvml: Nvml | None) -> Iterator[Line]:
    """GPUs in sysfs that NVML does not show. None at all is another matter, and has causes of its own."""
    gpus = value_or_none(nvml.gpus) if nvml else None
    listed = {gpu.info.pci_address for gpu in gpus or ()}
    on_bus = [gpu.address for gpu in value_or_none(snapshot.pci) or () if gpu.driver != "vfio-pci"]
    missing = [address for address in on_bus if address not in listed]
    if listed and missing:
        text = f"{len(on_bus)} NVIDIA GPUs on the PCI bus, {len(listed)} in nvidia-smi: missing {', '.join(missing)}"
        yield Line(text, "system", "sysfs and nvidia-smi")


def _orphans(service: Service) -> Iterator[Line]:
    for runner in value_or_none(service.runners) or ():
        if runner.orphan:
            name = (runner.process.command or ("runner",))[0].rsplit("/", 1)[-1]
            text = f"runner {runner.process.pid} is not a child of the service ({name}, {runner.model_path})"
            yield Line(text, "system", "processes")


def _silent_runners(api: Api, service: Service, nvml: Nvml) -> Iterator[Line]:
    """A model that Ollama calls fully on the GPU, whose runner holds no GPU memory in the driver's list.

    Only where the driver lists processes with their memory at all (not under MIG, WSL, in some containers).
    """
    processes = value_or_none(nvml.processes)
    if processes is None or not all(isinstance(process.used_bytes, Known) for process in processes):
        return
    runners = [runner for runner in value_or_none(service.runners) or () if not runner.orphan]
    pids = {process.pid for process in processes}
    full = [model for model in value_or_none(api.loaded) or () if model.size_bytes == model.size_vram_bytes > 0]
    if full and len(full) == len(runners) and not pids & {runner.process.pid for runner in runners}:
        yield _contradiction(full[0], runners[0])


def _contradiction(model: LoadedModel, runner: Runner) -> Line:
    text = f"{model.name} is 100% GPU for Ollama, and its runner {runner.process.pid} holds no memory on any GPU"
    return Line(text, "smi", "/api/ps and nvidia-smi")

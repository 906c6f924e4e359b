"""What lies in each GPU's memory: weights, KV cache and compute buffers of the loaded models, as their runners logged
it while they loaded.

Said only where the load of every runner was seen whole; a GPU about which one runner's log is silent has no figures,
rather than figures that lack a part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ongpu.host.gpu import Gpu, pci_address
from ongpu.host.ollama import Runner
from ongpu.host.ollama_log import Load, load_of, loads
from ongpu.host.reading import value_or_none
from ongpu.host.snapshot import HostSnapshot

_MIB = 1 << 20
_PARTS = {"model": "weights", "KV": "kv", "RS": "kv", "compute": "compute", "output": "compute"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Bytes on one GPU. `kv_bytes` holds recurrent state as well; the CUDA contexts are in none of the three."""

    weights_bytes: int = 0
    kv_bytes: int = 0
    compute_bytes: int = 0


def splits(snapshot: HostSnapshot) -> Mapping[str, Split]:
    """By GPU UUID. Empty where it is not known of one of the runners."""
    service, journal = value_or_none(snapshot.service), value_or_none(snapshot.journal)
    nvml = value_or_none(snapshot.nvml)
    runners = value_or_none(service.runners) if service else None
    gpus = value_or_none(nvml.gpus) if nvml else None
    if runners is None or not gpus or (journal is None and runners):
        return {}
    found = loads(journal.lines) if journal and runners else ()
    total: dict[str, defaultdict[str, float]] = {gpu.info.uuid: defaultdict(float) for gpu in gpus}
    for runner in runners:
        load = _whole(found, runner)
        if load is None or not _add(total, load, gpus):
            return {}
    return {
        uuid: Split(**{f"{part}_bytes": int(mib * _MIB) for part, mib in sums.items()}) for uuid, sums in total.items()
    }


def _whole(found: Iterable[Load], runner: Runner) -> Load | None:
    load = load_of(found, runner.model_path, runner.port)
    if load is None or not load.complete or load.interleaved or load.suppressed or not load.buffers:
        return None
    return load


def _add(total: Mapping[str, defaultdict[str, float]], load: Load, gpus: Iterable[Gpu]) -> bool:
    """False where a buffer lies on a device that cannot be matched to a GPU."""
    by_pci = {pci_address(gpu.info.pci_address): gpu.info.uuid for gpu in gpus}
    uuids = {device.device: by_pci.get(pci_address(device.pci_id)) for device in load.devices}
    only = next(iter(total)) if len(total) == 1 else None
    for buffer in load.buffers:
        if buffer.is_gpu:
            uuid = uuids.get(buffer.device) or only
            if uuid is None:
                return False
            total[uuid][_PARTS[buffer.kind]] += buffer.mib
    return True

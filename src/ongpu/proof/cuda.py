"""Whether CUDA starts for the service's user: the probe's own initialisation, else Ollama's word for its last one."""

from __future__ import annotations

from ongpu.host.cuda import NO_TOOL, CudaInit
from ongpu.host.ollama_log import discoveries
from ongpu.host.reading import Absent, Known, Reading, Unreadable, value_or_none
from ongpu.host.result import Evidence, Finding, Unknown
from ongpu.host.snapshot import HostSnapshot


def cuda_of(snapshot: HostSnapshot) -> Reading[CudaInit]:
    """What the probe's own initialisation gave; where it could not be tried, what Ollama's log says of its last one."""
    match snapshot.cuda:
        case Known() | Absent():
            return snapshot.cuda
        case Unreadable() as blind:
            journal = value_or_none(snapshot.journal)
            service = value_or_none(snapshot.service)
            if journal is None or service is None or not service.is_running:
                return blind
            found = [device for device in discoveries(journal.lines) if device.library.lower() == "cuda"]
            if not found:
                return blind  # a CPU has more than one reason
            init = CudaInit(code=0, devices=len(found), library="", user=service.user or "root")
            return Known(init, "Ollama's log (inference compute)")


def cuda_objection(count: int | None, snapshot: HostSnapshot, *, proven: bool) -> Finding | Unknown | None:
    """A CUDA that does not start, or sees fewer GPUs than NVML. `count` is `expect.gpus`; nothing is expected of a host
    that is to have none.

    A host without Python has nothing to ask CUDA with: that is no doubt about its GPUs, and nothing is claimed of CUDA.
    `proven`: models were proven to run on the GPU, which says more than an initialisation; then one that could not be
    tried is no doubt.
    """
    if count == 0:
        return None
    match cuda_of(snapshot):
        case Known(value=init, source=source) if init.code:
            return _finding(f"CUDA does not start for {init.user}: {init.meaning}", source, f"cuInit err: {init.code}")
        case Known(value=init, source=source):
            listed = _listed(snapshot)
            if not init.library or listed is None or init.devices >= listed:
                return None
            return _finding(
                f"CUDA sees {init.devices} of the {listed} GPUs that the driver lists, as {init.user}",
                source,
                f"cuDeviceGetCount: {init.devices}",
            )
        case Absent():
            return None
        case Unreadable(why=why, allow=allow):
            return None if proven or allow == NO_TOOL else Unknown(what="CUDA", why=why, allow=allow)


def _listed(snapshot: HostSnapshot) -> int | None:
    """GPUs that CUDA counts as NVML does: with MIG it counts instances."""
    nvml = value_or_none(snapshot.nvml)
    gpus = value_or_none(nvml.gpus) if nvml else None
    if gpus is None or any(value_or_none(gpu.info.mig) for gpu in gpus):
        return None
    return len(gpus)


def _finding(summary: str, source: str, line: str) -> Finding:
    return Finding(
        rule="cuda-init",
        cause="cuda-does-not-start",
        severity="critical",
        summary=summary,
        because=line,
        evidence=(Evidence(source=source, line=line),),
    )

"""The driver's account of memory per process (NVML): the one witness that depends on no line of any log.

What is compared: a model that is fully on the GPU takes there at least what the API says it takes (all those buffers
are allocated as they are), and at least most of its file. The CUDA context (0.15 to 0.6 GiB on each GPU) and memory
pools come on top, so more is never an objection. But of a small model the context alone may be all that is there: then
the driver cannot tell.
"""

from __future__ import annotations

from ongpu.host.gpu import Gpu, GpuProcess, Nvml, pci_address
from ongpu.host.reading import Absent, Known, Reading, Unreadable, value_or_none
from ongpu.host.result import Evidence, WitnessSays
from ongpu.proof.case import Case
from ongpu.proof.witness import Statement, Witness, blind, gib, no, silent

_MIB = 1024 * 1024
# nvidia-smi prints whole MiB, /api/ps is summed from two decimals of a MiB each.
_SLACK_SHARE, _SLACK_BYTES = 0.02, 4 * _MIB
# The most that a process takes on a GPU before it holds any model: context, kernels, cuBLAS (0.3 to 0.5 GiB usually).
_CONTEXT_BYTES = 640 * _MIB
# Part of the file that may be missing on the GPU besides the input tensors: projector parts and prediction layers that
# llama.cpp does not load (at most some 3 % in GLM-4.5 and DeepSeek-V3).
_FILE_SHARE = 0.85


def testify(case: Case) -> Statement:
    """Yes when the runner's process holds the model's bytes on GPUs that the service may use."""
    match case.snapshot.nvml:
        case Unreadable(why=why, allow=allow):
            return blind(why, allow)
        case Absent(why=why):
            return silent(why)
        case Known(value=nvml):
            return _ask(case, nvml)


def _ask(case: Case, nvml: Nvml) -> Statement:
    if isinstance(nvml.gpus, Known) and not nvml.gpus.value:
        return silent(nvml.message or "no GPU") if isinstance(case.resident, Absent) else no("the driver sees no GPU")
    match nvml.processes:
        case Unreadable(why=why, allow=allow):
            return blind(why, allow)
        case Absent(why=why):
            return silent(why)
        case Known(value=processes, source=source):
            pass
    match case.runner:
        case Unreadable(why=why, allow=allow):
            return blind(why, allow)
        case Absent(why=why):
            # The API lists a model long after its runner was killed.
            return no(why) if isinstance(case.resident, Known) else silent(why)
        case Known(value=runner):
            return _weigh(case, nvml, processes, runner.process.pid, source)


def _weigh(case: Case, nvml: Nvml, processes: tuple[GpuProcess, ...], pid: int, source: str) -> Statement:
    own = [process for process in processes if process.pid == pid]
    evidence = tuple(
        Evidence(source=source, line=f"{one.pid}, {one.gpu_uuid}, {_memory(one.used_bytes)}, {one.name}") for one in own
    )
    if not own:
        return _unseen(case, nvml, processes, pid)
    gpus = value_or_none(nvml.gpus) or ()
    sizes = [process.used_bytes.value for process in own if isinstance(process.used_bytes, Known)]
    if len(sizes) < len(own):
        why = next(process.used_bytes for process in own if not isinstance(process.used_bytes, Known))
        mig = ", and MIG is on: there the driver never tells it" if _in_mig(own, gpus) else ""
        return silent(f"process {pid} is on the GPU, but its memory is not told ({_memory(why)}){mig}", evidence)
    where = _where(own, gpus)
    if stray := _stray(case, own, gpus):
        return no(f"process {pid} lies on {stray}, which is not among ollama.gpus", evidence)
    if not isinstance(case.resident, Known):
        return silent(f"process {pid} holds {gib(sum(sizes))} on {where}, but its size is not known", evidence)
    said, words = _compare(case, case.resident.value.size_bytes, sum(sizes), len({one.gpu_uuid for one in own}))
    return said, f"process {pid} holds {words.replace('@', where)}", evidence


def _in_mig(own: list[GpuProcess], gpus: tuple[Gpu, ...]) -> bool:
    uuids = {process.gpu_uuid for process in own}
    return any(gpu.info.uuid in uuids and value_or_none(gpu.info.mig) for gpu in gpus)


def _compare(case: Case, size: int, held: int, gpus: int) -> tuple[WitnessSays, str]:
    """`held` bytes on so many GPUs against what the model takes; `@` in the words stands for where."""
    if held < size * (1 - _SLACK_SHARE) - _SLACK_BYTES:
        return "no", f"only {gib(held)} on @, its model takes {gib(size)}"
    weights = _weights(case)
    if weights is not None and held < weights * _FILE_SHARE:
        return "no", f"only {gib(held)} on @, its weights alone are {gib(weights)}"
    if held - gpus * _CONTEXT_BYTES < size / 2:
        return "silent", f"{gib(held)} on @, of which CUDA itself may take most: too small a model to tell"
    return "yes", f"{gib(held)} on @, its model takes {gib(size)}"


def _weights(case: Case) -> int | None:
    """Bytes of the file that belong on a GPU; None if it is not known how much of it is input tensors."""
    if not isinstance(case.stored, Known) or case.asked.shape.input_bytes is None:
        return None
    return max(0, case.stored.value.size_bytes - case.asked.shape.input_bytes)


def _unseen(case: Case, nvml: Nvml, processes: tuple[GpuProcess, ...], pid: int) -> Statement:
    gpus = value_or_none(nvml.gpus) or ()
    used = sum(value_or_none(gpu.memory.used_bytes) or 0 for gpu in gpus)
    size = case.resident.value.size_bytes if isinstance(case.resident, Known) else 0
    if not processes and used >= size > 0:
        return silent(
            f"the driver lists no process although {gib(used)} are used (a container, or another process namespace)"
        )
    return no(f"process {pid} is on no GPU")


def _where(own: list[GpuProcess], gpus: tuple[Gpu, ...]) -> str:
    uuids = {process.gpu_uuid for process in own}
    indexes = sorted(gpu.info.index for gpu in gpus if gpu.info.uuid in uuids)
    return f"GPU {', '.join(str(index) for index in indexes)}" if indexes else ", ".join(sorted(uuids))


def _stray(case: Case, own: list[GpuProcess], gpus: tuple[Gpu, ...]) -> str:
    """A GPU that holds part of the model and is not declared; MIG instances have no name of their own here."""
    declared = case.declared.gpus
    if not declared or any(name.startswith("MIG-") for name in declared):
        return ""
    allowed = {name for name in declared if name.startswith("GPU-")}
    addresses = {pci_address(name) for name in declared} - {None}
    for gpu in gpus:
        here = any(process.gpu_uuid == gpu.info.uuid for process in own)
        if here and gpu.info.uuid not in allowed and pci_address(gpu.info.pci_address) not in addresses:
            return f"GPU {gpu.info.index}"
    return ""


def _memory(reading: Reading[int]) -> str:
    match reading:
        case Known(value=value):
            return f"{value // _MIB} MiB"
        case missing:
            return missing.why


WITNESS = Witness(name="driver", rank=3, places=True, testify=testify)

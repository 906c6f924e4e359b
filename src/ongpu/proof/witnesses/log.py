"""The runner's own log since its load: which buffers of the model lie where.

"offloaded 31/31 layers" is no proof: it is printed too when every expert tensor lies in RAM (seen on 0.33.0 with
LLAMA_ARG_CPU_MOE, _OVERRIDE_TENSOR and _NO_KV_OFFLOAD). So each buffer is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from ongpu.host.ollama_log import Buffer, BufferKind, Load
from ongpu.host.reading import Absent, Known, Unreadable
from ongpu.host.result import Evidence
from ongpu.proof.case import Case, Shape
from ongpu.proof.witness import Statement, Witness, blind, gib, no, silent, yes

_MIB = 1024 * 1024
_ROUNDING_MIB = 0.02  # llama.cpp prints two decimals
_GO_ROUNDING_MIB = 52.0  # Ollama 0.12 to 0.24 prints one decimal of a GiB
_GO_INPUT_MIB = 64.0  # those versions keep a small graph on the CPU for the embedding lookup, fully offloaded or not
_WIDEST_BYTES = 4  # per weight: F32


def testify(case: Case) -> Statement:
    """Yes only for a load that was seen from its first line to its last, alone, without a lost line."""
    match case.load:
        case Known(value=load, source=source):
            return _read(load, source, case.asked.shape)
        case Unreadable(why=why, allow=allow):
            return blind(why, allow)
        case Absent(why=why):
            return silent(why)


def _read(load: Load, source: str, shape: Shape) -> Statement:
    if load.interleaved:
        return silent("another model was loaded at the same time, so its lines cannot be told apart")
    objections = [*_objections(load, shape)]
    if objections:
        return no("; ".join(objections), _evidence(load, source))
    gap = _gap(load, shape)
    if gap:
        return silent(gap, _evidence(load, source))
    layers, devices = load.offloaded[0], sorted({b.device for b in load.buffers if b.is_gpu})
    used = load.mib("model", cpu=False) + load.mib("KV", cpu=False) + load.mib("compute", cpu=False)
    return yes(
        f"{layers[0]} of {layers[1]} layers and all buffers ({gib(used * _MIB)}) on {', '.join(devices)}",
        _evidence(load, source),
    )


def _objections(load: Load, shape: Shape) -> Iterator[str]:
    """What the lines say against it. A line that is there counts even where others are missing."""
    if load.failed:
        yield "its load failed: " + (load.errors[-1] if load.errors else "no reason is logged")
    for done, total in load.offloaded:
        if done < total:
            yield f"{done} of {total} layers on GPU"
    for device, count in load.overflowing:
        if count:
            yield f"{count} layers of {device} have their experts in RAM"
    hidden = _hidden_weights(load, shape)
    if hidden and not _may_be_a_span(load, shape):
        yield f"{gib(hidden * _MIB)} of weights on the CPU"
    kinds: tuple[BufferKind, ...] = ("KV", "RS", "compute")
    for kind in kinds:
        mib = load.mib(kind, cpu=True)
        if mib > (_GO_INPUT_MIB if kind == "compute" and load.generation == "runner" else 0):
            words = {"KV": "KV cache", "RS": "recurrent state"}.get(kind, "compute buffers")
            yield f"{gib(mib * _MIB)} of {words} on the CPU"
    if load.buffers and not any(b.is_gpu and b.kind == "model" for b in load.buffers) and _has_model(load):
        yield "no weights on any GPU"
    others = sorted({b.device for b in load.buffers if b.is_gpu and not b.device.startswith("CUDA")})
    if others:
        yield f"it runs on {', '.join(_named(load, device) for device in others)}, not through CUDA"


def _has_model(load: Load) -> bool:
    return any(buffer.kind == "model" for buffer in load.buffers)


def _named(load: Load, device: str) -> str:
    name = next((used.name for used in load.devices if used.device == device), "")
    return f"{device} ({name})" if name else device


def _hidden_weights(load: Load, shape: Shape) -> float:
    """MiB of weights in CPU buffers beyond the input tensors (token embeddings), which belong there; 0 if none.

    Without the tensors' sizes from /api/show the embedding is taken as F32, which it never exceeds; what such a
    wide allowance could hide is left to `_gap`.
    """
    on_cpu = load.mib("model", cpu=True)
    allowed = _input_mib(load, shape)
    if allowed is None:  # nothing is known of its embedding: no model's is half of its weights and of a GiB
        allowed = 0.0 if not load.offloaded else max(load.mib("model", cpu=False), 1024.0)
    return on_cpu if on_cpu > allowed + _rounding(load, on_cpu) else 0.0


def _input_mib(load: Load, shape: Shape) -> float | None:
    models = max(1, len(load.offloaded))  # a draft model has the same vocabulary and is no wider
    if shape.input_bytes is not None:
        return models * shape.input_bytes / _MIB
    if load.vocabulary and load.embedding_length:
        return models * load.vocabulary * load.embedding_length * _WIDEST_BYTES / _MIB
    return None


def _may_be_a_span(load: Load, shape: Shape) -> bool:
    """A mapped buffer reaches from its first tensor in the file to its last (llama.cpp, get_mapping_range): with two
    input tensors far apart it looks large and holds nothing else. More graph splits than devices tell otherwise."""
    mapped = all(b.device == "CPU_Mapped" for b in load.buffers if b.is_cpu and b.kind == "model")
    return shape.input_tensors > 1 and mapped and bool(load.graph_splits) and not _is_split(load)


def _is_split(load: Load) -> bool:
    """The graph changes the device more often than it must: once into each GPU, and once out of the last."""
    gpus = {b.device for b in load.buffers if b.is_gpu and b.kind == "model"}
    return bool(load.graph_splits) and max(load.graph_splits) > len(gpus) + 1


def _rounding(load: Load, mib: float) -> float:
    if load.generation == "runner":
        return _GO_ROUNDING_MIB if mib >= 1024 else 0.1
    return _ROUNDING_MIB + mib * 0.001


def _gap(load: Load, shape: Shape) -> str:
    """Why the absence of objections proves nothing, if so."""
    if not load.seen_start:
        return "the log does not show the beginning of its load"
    if load.suppressed:
        return "journald dropped lines of its load (rate limit)"
    if not load.complete:
        return "the log does not show the end of its load"
    if not load.offloaded or not any(b.kind == "model" and b.is_gpu for b in load.buffers):
        return "the log shows no buffers of its load (the runner's output is missing or was not understood)"
    if not any(b.kind == "compute" for b in load.buffers):
        return "the log shows no compute buffer of its load"
    if load.mib("model", cpu=True) and _input_mib(load, shape) is None:
        return "weights lie in a CPU buffer, and the size of the token embeddings is not known"
    if _hidden_weights(load, shape):
        return "a mapped buffer is larger than the input tensors in it, which lie apart in the file"
    if _is_split(load) and shape.input_bytes is None:
        return f"its graph has {max(load.graph_splits)} splits: part of it may run on the CPU"
    return ""


def _evidence(load: Load, source: str) -> tuple[Evidence, ...]:
    lines = [f"offloaded {done}/{total} layers to GPU" for done, total in load.offloaded]
    lines += [_line(buffer) for buffer in load.buffers[:24]]
    lines += [f"{device}: {count} overflowing" for device, count in load.overflowing if count]
    if load.graph_splits:
        lines.append(f"graph splits = {', '.join(str(number) for number in load.graph_splits)}")
    return tuple(Evidence(source=source, line=line) for line in [*lines, *load.errors[-3:]])


def _line(buffer: Buffer) -> str:
    return f"{buffer.by}: {buffer.device} {buffer.kind} buffer size = {buffer.mib:.2f} MiB".removeprefix(": ")


WITNESS = Witness(name="log", rank=2, places=True, testify=testify)

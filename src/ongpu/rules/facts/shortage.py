"""What a model that does not fit would have needed, by part: weights, cache, and what was free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ongpu.host.ollama_log import Load
from ongpu.host.ollama_log.text import size_bytes
from ongpu.rules.evidence import Evidence, Line, words
from ongpu.rules.facts import gpus, placement, settings
from ongpu.rules.pattern import Pattern

Part = Literal["weights", "context", "parallel", "neighbour", "output", "little"]
_MIB = 2**20
_WEIGHTS = words(
    r"\"model weights\" (?:device|buffer)=\w+ size=\"([^\"]{2,20})\"", r"model buffer size = +(\d{1,9}\.\d{1,2}) MiB"
)
_CACHE = words(
    r"\"kv cache\" (?:device|buffer)=\w+ size=\"([^\"]{2,20})\"",
    r"KV buffer size = +(\d{1,9}\.\d{1,2}) MiB",
    r"\bKV self size +=\s{1,4}(\d{1,9}\.\d{1,2}) MiB",
)
_PROJECTED = words(r"vs\. (\d{1,9}) MiB of free device memory")  # of all devices
_DEVICE = words(
    r"msg=\"gpu memory\" id=(\S+)[^\n]{0,200} available=\"([^\"]{2,20})\"",
    r"using device ((?:CUDA|ROCm|Vulkan)\d)[^\n]{0,120} - (\d{1,9} MiB) free",
)
_OUTPUT = words("offloading output layer to CPU")
_MANY = 16384  # tokens; more than any default before 0.15.5
_SLOTS = 4


@dataclass(frozen=True, slots=True)
class Shortage:
    """A model that is not fully on the GPU; bytes, 0 where nothing says them. `share` of its layers that are."""

    share: float
    weights: int
    kv: int
    free: int
    line: Line
    plan: placement.Offload | None


def shortage(seen: Evidence) -> Shortage | None:
    """The load that went worst, or None when none is partly on the GPU (one that is not there at all without a
    memory plan is no shortage)."""
    plans = [plan for plan in placement.offloads(seen) if plan.is_partial and plan.layers]
    if plans:
        plan = min(plans, key=lambda one: one.offloaded / one.layers)
        return Shortage(plan.offloaded / plan.layers, plan.weights, plan.kv, plan.available, plan.line, plan)
    parts = [one for one in placement.layers(seen) if 0 < one[0] < one[1]]
    rows = [row for row in placement.residents(seen) if 0 < row.cpu_percent < 100]
    if parts:
        part, whole, line = parts[-1]
        share = part / whole
    elif rows:
        share, line = 1 - rows[-1].cpu_percent / 100, rows[-1].line
    else:
        return None
    load = _load(seen, parts[-1][:2]) if parts else None
    if load and load.buffers:
        weights = load.mib("model", cpu=True) + load.mib("model", cpu=False)
        kv = sum(buffer.mib for buffer in load.buffers if buffer.kind in ("KV", "RS"))
        free = sum(device.free_mib for device in load.devices) * _MIB or _free(seen)
        return Shortage(share, round(weights * _MIB), round(kv * _MIB), free, line, None)
    return Shortage(share, _sum(seen, _WEIGHTS), _sum(seen, _CACHE), _free(seen), line, None)


def cause(seen: Evidence) -> tuple[Part, Shortage] | None:
    """What it was that did not fit. None when nothing is short, or when layers were asked for by number."""
    short = shortage(seen)
    most = max((whole for _, whole, _ in placement.layers(seen)), default=90)
    if short is None or any(0 <= asked < most for asked, _ in settings.layers_asked(seen)):
        return None
    if neighbour(seen):
        return "neighbour", short
    if not short.plan and short.weights and short.weights + short.kv < 0.5 * short.free:
        return None  # it would have fitted twice: nothing was short
    slots = settings.parallel(seen)
    if slots and slots[0] > _SLOTS:
        return "parallel", short
    if short.weights and short.free and short.weights > short.free:
        return "weights", short
    if large_cache(seen, short):
        return "context", short
    last = [one for one in placement.layers(seen) if one[0] == one[1] - 1]
    if last and seen.find(_OUTPUT):
        return "output", short
    return ("little" if short.share >= 0.5 else "weights"), short


def large_cache(seen: Evidence, short: Shortage) -> bool:
    """The cache, or the context that was asked for, is what makes the difference."""
    if short.kv and (short.kv * 8 >= short.free > 0 or short.kv * 2 >= short.weights > 0):
        return True
    asked = settings.context(seen)
    rows = max((row.context or 0 for row in placement.residents(seen) if row.cpu_percent), default=0)
    return not short.kv and max(asked[0] if asked else 0, rows) >= _MANY


def neighbour(seen: Evidence) -> Line | None:
    """A line that shows that much of a GPU's memory was taken before the model came."""
    for total, available, line in gpus.found_memory(seen):
        if available < 0.6 * total:
            return line
    plans = [plan for plan in placement.offloads(seen) if plan.available]
    short = min(plans, key=lambda plan: plan.available, default=None)
    if short and short.is_partial and max(plan.available for plan in plans) > 1.15 * short.available:
        return short.line
    if short and short.is_partial:
        totals = [total for total, _, _ in gpus.found_memory(seen)]
        if totals and short.available < 0.75 * sum(totals) and len(totals) == 1:
            return short.line
    return None


def _load(seen: Evidence, layers: tuple[int, int]) -> Load | None:
    """The last load in which so many layers were offloaded."""
    return next((load for load in reversed(seen.once(placement.loads_of)) if layers in load.offloaded), None)


def _free(seen: Evidence) -> int:
    """Free memory of all GPUs before the load, in bytes; a device that is named again counts once."""
    if projected := max((int(hit.match[1]) for hit in seen.all(_PROJECTED)), default=0):
        return projected * _MIB
    devices = {}
    for hit in seen.all(_DEVICE):
        device, size = (group for group in hit.match.groups() if group)
        devices[device] = size_bytes(size) or 0
    return sum(devices.values())


def _sum(seen: Evidence, pattern: Pattern) -> int:
    total = 0
    for hit in seen.all(pattern):
        text = next(group for group in hit.match.groups() if group)
        total += size_bytes(text) or (round(float(text) * _MIB) if text.replace(".", "", 1).isdigit() else 0)
    return total

"""Where models lie: layers, `ollama ps`, memory that was needed and memory that was there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ongpu.host.ollama_log import Load, loads
from ongpu.host.ollama_log.text import size_bytes
from ongpu.rules.evidence import Evidence, Found, Line, words
from ongpu.rules.pattern import regex

_LAYERS = regex(r"offloaded (\d{1,4})/(\d{1,4}) layers")
_PLANNED = regex(r"layers\.(?:model|real)=")
_PAIR = re.compile(r'(\b[a-z_.]{3,40})=(?:"([^"\n]{0,200})"|(\S{0,60}))')
_SIZE = re.compile(r"\d{1,12}(?:\.\d{1,6})? ?[KMGT]?i?B")
# llama3:latest   365c0bd3c000   32 GB   36%/64% CPU/GPU   4096   Forever
_PS = regex(
    r"^(\S{1,120})\s+[0-9a-f]{8,14}\s+(\d{1,5}(?:\.\d{1,3})? [KMGT]?B)\s+"
    r"(?:(\d{1,3})%/(\d{1,3})% CPU/GPU|(\d{1,3})% (CPU|GPU))(?:\s+(\d{3,8})(?!\S))?",
    re.MULTILINE,
)
# {"models":[{"name":"llama3.1:8b", …,"size":6654289920, …,"size_vram":6654289920,"context_length":8192}]}
_API_PS = regex(
    r'"name": ?"([^"\n]{1,120})"[^{}]{0,300}?"size": ?(\d{1,15}),(?:[^{}]|\{[^{}]{0,600}\}){0,600}?"size_vram": ?(\d{1,15})'
    r'(?:, ?"context_length": ?(\d{1,8}))?'
)
_LOOSE = words(r"(\d{1,2})%/(\d{1,2})% CPU/GPU", r"\b100% CPU\b")
_NO_GPU = words(
    r"inference compute[^\n]{0,200}(?:id=cpu|library=cpu)", "no compatible GPUs were discovered", "no GPU detected",
    r"total_?\"? ?vram\"?=\"0 B\"", r"only the cpu entry", "looking for compatible GPUs[^\n]{0,40}none", r"Dynamic LLM libraries[^\n]{0,20}\[cpu[\w ]{0,20}\]",
    r"msg=\"offload to cpu\"",
)  # fmt: skip
_GPU = words(
    r"inference compute[^\n]{0,300}library=\"?(?:cuda|rocm|vulkan)", "Nvidia GPU detected", "ggml_(?:cuda_init|init_cublas): found [1-9]",
    r"offload library=cuda", r"using device CUDA\d", r"CUDA\d model buffer size", r"(?:device|buffer)=CUDA\d",
)  # fmt: skip
_CPU_WEIGHTS = words(
    r"\"model weights\" (?:device|buffer)=CPU size=\"([^\"]{2,20})\"",
    r"CPU(?:_Mapped)? (?:model )?buffer size = +(\d{1,9}\.\d{1,2}) MiB",
)
_GPU_WEIGHTS = words(
    r"\"model weights\" (?:device|buffer)=(?:CUDA|ROCm|Vulkan|Metal)\d",
    r"(?:CUDA|ROCm|Vulkan|Metal)\d{0,2} (?:model )?buffer size = +\d",
)


@dataclass(frozen=True, slots=True)
class Offload:
    """The memory plan of a load before 0.12.4 (`msg=offload`); sizes in bytes, 0 where the line does not say."""

    requested: int | None
    layers: int
    offloaded: int
    available: int
    full: int
    kv: int
    weights: int
    graph: int
    projector: int
    line: Line

    @property
    def is_partial(self) -> bool:
        return self.offloaded < self.layers


@dataclass(frozen=True, slots=True)
class Resident:
    """A row of `ollama ps`; `cpu_percent` is the part that is not on the GPU."""

    name: str
    size_bytes: int
    cpu_percent: int
    context: int | None
    line: Line


def layers(seen: Evidence) -> list[tuple[int, int, Line]]:
    """(offloaded, all) of every load."""
    return seen.once(_layers)


def _layers(seen: Evidence) -> list[tuple[int, int, Line]]:
    return [(int(hit.match[1]), int(hit.match[2]), hit.line) for hit in seen.all(_LAYERS)]


def offloads(seen: Evidence) -> list[Offload]:
    """The memory plan of every load before 0.12.4."""
    return seen.once(_offloads)


def _offloads(seen: Evidence) -> list[Offload]:
    found = []
    for line in seen.lines_for(_PLANNED):
        if line.kind == "log" and _PLANNED.search(line.text):
            pairs = {match[1]: match[2] if match[2] is not None else match[3] for match in _PAIR.finditer(line.text)}
            if "layers.offload" in pairs or "layers.real" in pairs:
                found.append(_offload(pairs, line))
    return found


def _offload(pairs: dict[str, str], line: Line) -> Offload:
    def size(name: str) -> int:
        return sum(size_bytes(text) or 0 for text in _SIZE.findall(pairs.get(name, "")))

    def count(name: str) -> int | None:
        text = pairs.get(name, "")
        return int(text) if re.fullmatch(r"-?\d{1,4}", text) else None

    return Offload(
        requested=count("layers.requested"), layers=count("layers.model") or 0, offloaded=count("layers.offload") or count("layers.real") or 0,
        available=size("memory.available"), full=size("memory.required.full"), kv=size("memory.required.kv"),
        weights=size("memory.weights.total"), graph=size("memory.graph.full"),
        projector=size("projector.weights") + size("projector.graph"), line=line,
    )  # fmt: skip


def loads_of(seen: Evidence) -> tuple[Load, ...]:
    """Every load in the log, oldest first."""
    return loads(line.text for line in seen.of("log"))


def residents(seen: Evidence) -> list[Resident]:
    rows = []
    for hit in seen.all(_PS):
        name, size, mixed, _, alone, where, context = hit.match.groups()
        cpu = int(mixed) if mixed else (int(alone) if where == "CPU" else 100 - int(alone))
        rows.append(Resident(name, size_bytes(size) or 0, cpu, int(context) if context else None, hit.line))
    return rows + [_from_api(hit) for hit in seen.all(_API_PS)]


def _from_api(hit: Found) -> Resident:
    """A model of `GET /api/ps`; all of it is on the GPU only when `size_vram` is `size`."""
    name, size, vram, context = hit.match[1], int(hit.match[2]), int(hit.match[3]), hit.match[4]
    cpu = 0 if vram >= size > 0 else min(100, max(1, round(100 * (1 - vram / max(size, 1)))))
    return Resident(name, size, cpu, int(context) if context else None, hit.line)


def not_on_gpu(seen: Evidence) -> Line | None:
    """A line that shows a model, or a part of it, on the CPU; token embeddings there are normal and none."""
    for row in residents(seen):
        if row.cpu_percent > 0:
            return row.line
    for part, whole, line in layers(seen):
        if part < whole:
            return line
    for plan in offloads(seen):
        if plan.is_partial:
            return plan.line
    return seen.find(_LOOSE)


def no_gpu(seen: Evidence) -> Line | None:
    """A line that shows that the server found no GPU, or that nothing at all was put on one."""
    if line := seen.find(_NO_GPU):
        return line
    nothing = next((line for part, whole, line in layers(seen) if part == 0 and whole), None)
    only_cpu = next((row.line for row in residents(seen) if row.cpu_percent == 100), None)
    return nothing or only_cpu or only_cpu_weights(seen)


def none_found(seen: Evidence) -> Line | None:
    """A line in which the server itself says that it found no GPU."""
    return seen.find(_NO_GPU)


def only_cpu_weights(seen: Evidence) -> Line | None:
    """A load whose weights lie on the CPU alone."""
    return None if seen.find(_GPU_WEIGHTS) else seen.find(_CPU_WEIGHTS)


def gpu_seen(seen: Evidence) -> Line | None:
    """A line that shows that Ollama found a GPU."""
    return seen.find(_GPU)


def is_fully_on_gpu(seen: Evidence) -> bool:
    """Something was placed, and all of what was placed is on a GPU."""
    if not layers(seen) and only_cpu_weights(seen):  # `ollama ps` tells the plan, the runner's log what was done
        return False
    placed = [part == whole for part, whole, _ in layers(seen)] + [row.cpu_percent == 0 for row in residents(seen)]
    return bool(placed) and all(placed)

"""Which GPUs a model gets, its context and batch, and whether it fits beside others (server/sched.go)."""

from __future__ import annotations

from pathlib import Path

from . import envconfig, fit, golog
from .device import Device
from .gguf import Model
from .gojson import human_bytes2

GIB = 1 << 30
TIERS = ((23 * GIB, 4096), (47 * GIB, 32768))
LARGEST_TIER = 262144
_SINGLE_FAMILIES = ("mllama", "qwen3vl", "qwen35", "qwen3next", "lfm2", "nemotron_h")


def default_context(devices: list[Device]) -> tuple[int, int]:
    """Total VRAM as Ollama counts it (it wraps around below zero, as in Go), and the context of its tier."""
    overhead = envconfig.unsigned("OLLAMA_GPU_OVERHEAD", 0)
    total = sum(device.total - overhead for device in devices) % 2**64
    return total, next((context for limit, context in TIERS if total < limit), LARGEST_TIER)


def predicted(model: Model, context: int) -> int:
    """`PredictServerVRAM`: file size and an f16 KV cache; no compute buffers."""
    heads = int(model.get("attention.head_count", 1))
    heads_kv = int(model.get("attention.head_count_kv", heads))
    width = int(model.get("embedding_length", 0)) // max(1, heads)
    return model.file_size + 2 * int(model.get("block_count", 0)) * heads_kv * width * context * 2


def parallel(model: Model) -> int:
    wanted = max(1, envconfig.unsigned("OLLAMA_NUM_PARALLEL", 1))
    if wanted > 1 and (model.get("pooling_type") is not None or model.arch.startswith(_SINGLE_FAMILIES)):
        golog.warn(
            "sched.go:480", "model architecture does not currently support parallel requests", architecture=model.arch
        )
        return 1
    return wanted


def batch(model: Model, context: int, devices: list[Device]) -> int:
    """The automatic batch: more for a large context where the memory allows it."""
    wanted = 2048 if context > 32768 else 1024 if context > 4096 else 512
    free = sum(device.free for device in devices) if devices else fit.system_memory("MemAvailable")
    surcharge = {1024: 768 << 20, 2048: 2 * GIB}
    while wanted > 512 and predicted(model, context) + surcharge[wanted] > free * 8 // 10:
        wanted //= 2
    return wanted


def choose(model: Model, context: int, devices: list[Device], main_gpu: int | None) -> tuple[list[Device], bool]:
    """The devices of one load, and whether it was narrowed down to a single one."""
    if len(devices) < 2:
        return devices, False
    needed = predicted(model, context)
    chosen: list[Device] = []
    if main_gpu is not None and main_gpu < len(devices):
        chosen = [devices[main_gpu]]
    elif not envconfig.boolean("OLLAMA_SCHED_SPREAD"):
        best = min(devices, key=lambda device: (device.integrated, -device.free))
        if needed <= best.free * 8 // 10:
            chosen = [best]
    if chosen:
        device = chosen[0]
        golog.info(
            "sched.go:1013",
            "selecting single GPU for llama-server model",
            main_gpu=0,
            id=device.index,
            filter_id=device.filter_id,
            library=device.library,
            name=device.name,
            description=device.description,
            integrated=device.integrated,
            predicted=human_bytes2(needed),
            available=human_bytes2(device.free),
        )
    group = chosen or _best_group(devices)
    if len(group) < len(devices):
        golog.info(
            "sched.go:1132",
            "selecting GPU backend for llama-server model",
            library=group[0].library,
            gpu_count=len(group),
            available_gpu_count=len(devices),
        )
    return group, bool(chosen)


def _best_group(devices: list[Device]) -> list[Device]:
    groups: dict[str, list[Device]] = {}
    for device in devices:
        groups.setdefault(device.library, []).append(device)
    return max(groups.values(), key=lambda group: (not group[0].integrated, sum(device.free for device in group)))


def fits(model: Model, context: int, num_batch: int, devices: list[Device]) -> bool:
    """The 80 % rule for a second model; logs its decision."""
    needed = predicted(model, context)
    gpu_free = sum(device.free for device in devices)
    system_free = fit.system_memory("MemAvailable")
    attrs = {
        "predicted": human_bytes2(needed),
        "predicted_num_ctx": context,
        "num_batch": num_batch,
        "available": human_bytes2(gpu_free if devices else system_free),
        "gpu_free": human_bytes2(gpu_free),
        "system_free": human_bytes2(system_free),
        "system_limited": False,
    }
    if needed > (gpu_free if devices else system_free) * 8 // 10:
        golog.info("sched.go:551", "llama-server model predicted to exceed available memory, evicting", **attrs)
        return False
    golog.info("sched.go:562", "llama-server model fits alongside existing models", **attrs)
    return True


def log_memory(devices: list[Device]) -> None:
    total, free, swap = (fit.system_memory(key) for key in ("MemTotal", "MemAvailable", "SwapFree"))
    golog.info(
        "sched.go:613",
        "system memory",
        total=human_bytes2(total),
        free=human_bytes2(free),
        free_swap=human_bytes2(swap),
    )
    minimum, overhead = 457 << 20, envconfig.unsigned("OLLAMA_GPU_OVERHEAD", 0)
    for device in devices:
        golog.info(
            "sched.go:620",
            "gpu memory",
            id=device.index,
            library=device.library,
            available=human_bytes2(max(0, device.free - minimum - overhead)),
            free=human_bytes2(device.free),
            minimum=human_bytes2(minimum),
            overhead=human_bytes2(overhead),
        )


def log_mmap(path: Path, devices: list[Device], num_gpu: int) -> None:
    if not devices and num_gpu != 0:
        golog.info("sched.go:1147", "disabling mmap for llama-server load by default", model=path, reason="cpu")

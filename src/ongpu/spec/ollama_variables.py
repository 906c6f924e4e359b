"""Which variables an Ollama release reads: what would be ignored, or do something else than it says, is an error.

Ollama ignores unknown variables without a word, so a name that an upgrade removed simply stops working. Source of the
versions: Ollama's tags, searched for the name in envconfig/config.go; of LLAMA_ARG_*: llama.cpp, common/arg.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from packaging.version import InvalidVersion, Version

Numbers = tuple[int, ...]

LLAMA_SERVER = (0, 30, 0)  # models run in llama-server, which reads LLAMA_ARG_*; before, in Ollama's own runner
SINCE: Mapping[str, Numbers] = {
    "OLLAMA_RUNNERS_DIR": (0, 1, 39),
    "OLLAMA_SCHED_SPREAD": (0, 1, 45),
    "OLLAMA_INTEL_GPU": (0, 1, 45),
    "OLLAMA_LOAD_TIMEOUT": (0, 3, 10),
    "OLLAMA_GPU_OVERHEAD": (0, 3, 10),
    "OLLAMA_MULTIUSER_CACHE": (0, 3, 13),
    "OLLAMA_KV_CACHE_TYPE": (0, 5, 0),
    "OLLAMA_NEW_ENGINE": (0, 5, 12),
    "OLLAMA_CONTEXT_LENGTH": (0, 5, 13),
    "OLLAMA_NEW_ESTIMATES": (0, 11, 5),
    "OLLAMA_REMOTES": (0, 12, 0),
    "OLLAMA_VULKAN": (0, 12, 11),
    "OLLAMA_NO_CLOUD": (0, 16, 2),
    "OLLAMA_DEBUG_LOG_REQUESTS": (0, 19, 0),
    "OLLAMA_IGPU_ENABLE": (0, 30, 0),
    "OLLAMA_LLAMA_CPP_COMPAT": (0, 30, 0),
    "OLLAMA_MAX_TRANSFER_STREAMS": (0, 30, 0),
    "OLLAMA_GO_TEMPLATE": (0, 30, 0),
}
# Name -> the first release that no longer reads it.
GONE: Mapping[str, Numbers] = {
    "OLLAMA_RUNNERS_DIR": (0, 3, 11),
    "OLLAMA_TMPDIR": (0, 5, 2),
    "OLLAMA_MAX_VRAM": (0, 2, 8),  # listed until 0.7.0, without effect
    "OLLAMA_NEW_ESTIMATES": (0, 11, 11),
    "OLLAMA_INTEL_GPU": (0, 12, 11),
    "OLLAMA_NEW_ENGINE": (0, 30, 0),
    "OLLAMA_MULTIUSER_CACHE": (0, 30, 0),
}
NEVER_READ: Mapping[str, str] = {
    "OLLAMA_SKIP_MEMORY_CHECKS": "Ollama never read it; delete the line",
    "OLLAMA_NUM_GPU": "Ollama never read it; set num_gpu in the model",
    "OLLAMA_GPU_LAYERS": "Ollama never read it; set num_gpu in the model",
    "OLLAMA_NOHISTORY": "only the command line reads it, the service does not; delete the line",
    "OLLAMA_EDITOR": "only the command line reads it, the service does not; delete the line",
    "OLLAMA_AUTH": "only clients read it, the service asks nobody who they are; delete the line",
    "NVIDIA_DRIVER_CAPABILITIES": "only containers read it; delete the line",
    "NVIDIA_VISIBLE_DEVICES": "only containers are given GPUs by it; use `ollama.gpus`",
}
# Ollama gives llama-server these as options, which beat the variable.
_BEATEN = re.compile(r"LLAMA_ARG_(?:CTX_SIZE|N_PARALLEL|CACHE_TYPE_[KV]|FLASH_ATTN|MODEL|PORT|HOST)")
_INSTEAD = {
    "LLAMA_ARG_CTX_SIZE": "`context` of the models",
    "LLAMA_ARG_N_PARALLEL": "`parallel` of the models",
    "LLAMA_ARG_CACHE_TYPE_K": "`kv_cache_type` of the models",
    "LLAMA_ARG_CACHE_TYPE_V": "`kv_cache_type` of the models",
    "LLAMA_ARG_FLASH_ATTN": "OLLAMA_FLASH_ATTENTION",
    "LLAMA_ARG_HOST": "`ollama.listen`",
}
KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")  # llama.cpp
QUANTIZED = KV_TYPES[3:]  # these need flash attention for the values
_OLD_KV_TYPES = ("f16", "q8_0", "q4_0")  # before LLAMA_SERVER; others were ignored with a warning
FLASH_ATTENTION_BY_ITSELF = (0, 12, 4)  # before, only where OLLAMA_FLASH_ATTENTION said so
CUDA_V13 = (0, 11, 11)
# Directories of lib/ollama that hold a CUDA backend. Any other word finds none, without a warning: CPU only.
CUDA_LIBRARIES = ("cuda_v12", "cuda_v13", "cuda_jetpack5", "cuda_jetpack6")


def numbers(release: str) -> Numbers:
    """`0.33.0-rc2` -> (0, 33, 0). What is no version is taken for the newest."""
    try:
        return Version(release).release
    except InvalidVersion:
        return (1_000_000,)


def words(version: Numbers) -> str:
    return ".".join(str(part) for part in version)


def check(release: str, env: Mapping[str, str]) -> None:
    """Raises ValueError with one sentence for the first variable that `release` would not read as it is meant."""
    at = numbers(release)
    for name, value in env.items():
        for problem in _problems(release, at, name, value):
            raise ValueError(problem)
    check_cache(release, env)


def _problems(release: str, at: Numbers, name: str, value: str) -> Iterator[str]:
    if name in GONE and at >= GONE[name]:
        yield f"{name} does nothing in {release}: Ollama removed it in {words(GONE[name])}; delete the line"
    if at < SINCE.get(name, ()):
        yield f"{name} does nothing in {release}: Ollama reads it since {words(SINCE[name])}; delete the line"
    if name == "OLLAMA_GPU_OVERHEAD" and at >= LLAMA_SERVER:
        mib = f": {int(value) // 2**20 + 1024}" if value.isdecimal() else ""
        yield (
            f"{name} keeps no memory free since Ollama 0.30.0; use LLAMA_ARG_FIT_TARGET{mib} (MiB to leave free on "
            "each GPU, 1024 where it is not set)"
        )
    if name.startswith("LLAMA_ARG_") and at < LLAMA_SERVER:
        instead = "; use OLLAMA_GPU_OVERHEAD (bytes)" if name == "LLAMA_ARG_FIT_TARGET" else ""
        yield f"{name} does nothing in {release}: Ollama runs llama-server since 0.30.0{instead}"
    elif _BEATEN.fullmatch(name):
        yield f"{name} does nothing: Ollama's own option beats it; use {_INSTEAD.get(name, 'the model itself')}"
    if name == "OLLAMA_LLM_LIBRARY":
        yield from _library(release, at, value)


def _library(release: str, at: Numbers, value: str) -> Iterator[str]:
    if value.startswith("mlx_"):  # chooses among the MLX libraries only
        return
    known = [name for name in CUDA_LIBRARIES if name != "cuda_v13" or at >= CUDA_V13]
    if at < (0, 9, 3):
        known.append("cuda_v11")
    if value not in known:
        yield (
            f"OLLAMA_LLM_LIBRARY: {release} has no CUDA library {value!r}, and every model would run without CUDA; "
            f"use one of {', '.join(known)}, or delete the line"
        )


def check_cache(release: str, env: Mapping[str, str]) -> None:
    """Raises ValueError where the KV cache type would be ignored, or would fail every load."""
    at = numbers(release)
    kv, flash = env.get("OLLAMA_KV_CACHE_TYPE", "").lower(), env.get("OLLAMA_FLASH_ATTENTION")
    if not kv:
        return
    if at < LLAMA_SERVER and kv not in _OLD_KV_TYPES:
        raise ValueError(f"OLLAMA_KV_CACHE_TYPE: {release} ignores {kv!r}; use one of {', '.join(_OLD_KV_TYPES)}")
    if kv in QUANTIZED and flash == "0":
        raise ValueError(
            f"OLLAMA_KV_CACHE_TYPE: the KV cache type {kv} needs flash attention, but OLLAMA_FLASH_ATTENTION is false: "
            "drop one of the two"
        )
    if kv in QUANTIZED and flash is None and at < FLASH_ATTENTION_BY_ITSELF:
        raise ValueError(
            f"OLLAMA_KV_CACHE_TYPE: {release} ignores {kv} without OLLAMA_FLASH_ATTENTION: true (needed before "
            f"{words(FLASH_ATTENTION_BY_ITSELF)})"
        )

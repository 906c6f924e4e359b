"""Variables that the host's own GPUs decide about: what would fail every load, or keep a GPU from being used.

Sources: Ollama, ml/device.go (flash attention), discover/runner.go (integrated GPUs, Vulkan), server/routes.go (the
VRAM behind the default context). A GPU whose compute capability could not be read is not judged here: the proof is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ongpu.host.gpu import Gpu, pci_address
from ongpu.host.reading import Known, value_or_none
from ongpu.plan.context import Context, Halt
from ongpu.plan.gate import is_jetson, system_of
from ongpu.spec import ollama_variables

_CC_6 = (0, 31, 2)  # since this release Ollama turns flash attention on by itself for 6.x
_NO_FLASH_ATTENTION = (7, 2)
_V13_ONLY = {(8, 7), (10, 3), (11, 0), (12, 1)}
_INTEGRATED = {(5, 3), (6, 2), (7, 2), (8, 7), (11, 0), (12, 1)}  # Tegra, Orin, Thor, GB10


def require(context: Context, environment: Mapping[str, str]) -> None:
    """Raises Halt("unsupported") with the first variable that does not go with the GPUs the service may use."""
    gpus = _used(context)
    release = context.spec.ollama.release
    problems = (
        *_flash_attention(release, environment, gpus),
        *_jetpack(context, environment),
        *_library(environment, gpus),
        *_integrated(environment, gpus),
        *_overhead(environment, gpus),
        *_vulkan(context, environment),
    )
    if problems:
        raise Halt("unsupported", problems[0])


def _used(context: Context) -> list[Gpu]:
    nvml = value_or_none(context.snapshot.nvml)
    gpus = value_or_none(nvml.gpus) if nvml else None
    chosen = context.spec.ollama.gpus
    if chosen == "all":
        return list(gpus or ())
    names = {pci_address(name) or name for name in chosen}
    return [gpu for gpu in gpus or () if {gpu.info.uuid, pci_address(gpu.info.pci_address)} & names]


def _capability(gpu: Gpu) -> tuple[int, int] | None:
    """`8.9` -> (8, 9); None where the driver does not say."""
    match gpu.info.compute_capability:
        case Known(value=text):
            major, _, minor = text.partition(".")
            return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None
        case _:
            return None


def _flash_attention(release: str, environment: Mapping[str, str], gpus: list[Gpu]) -> Iterator[str]:
    flash, kv = environment.get("OLLAMA_FLASH_ATTENTION"), environment.get("OLLAMA_KV_CACHE_TYPE", "").lower()
    at = ollama_variables.numbers(release)
    for gpu in gpus:
        capability = _capability(gpu)
        if capability is None:
            continue
        named = f"{gpu.info.name} (compute capability {capability[0]}.{capability[1]})"
        never = capability < (6, 0) or capability == _NO_FLASH_ATTENTION
        if never and flash == "1":
            yield f"ollama.env.OLLAMA_FLASH_ATTENTION is true, which {named} cannot do: delete the line"
        off = never or (capability[0] == 6 and at < _CC_6)
        if off and flash is None and kv in ollama_variables.QUANTIZED and at >= ollama_variables.LLAMA_SERVER:
            way_out = (
                "use f16" if never else f"declare OLLAMA_FLASH_ATTENTION: true, or Ollama {_words(_CC_6)} or newer"
            )
            yield (
                f"the KV cache type {kv} needs flash attention, which Ollama {release} leaves off on {named}, so every "
                f"load would fail: {way_out}"
            )


def _words(version: tuple[int, ...]) -> str:
    return ollama_variables.words(version)


def _jetpack(context: Context, environment: Mapping[str, str]) -> Iterator[str]:
    """Only a Jetson's add-on brings that directory; a name that is not there means CPU, without a warning."""
    wanted = environment.get("OLLAMA_LLM_LIBRARY", "")
    if wanted.startswith("cuda_jetpack") and not is_jetson(system_of(context)):
        yield (
            f"ollama.env.OLLAMA_LLM_LIBRARY is {wanted}, which only a Jetson has, and every model would run without "
            "CUDA: delete the line"
        )


def _library(environment: Mapping[str, str], gpus: list[Gpu]) -> Iterator[str]:
    """Builds hold kernels for some compute capabilities only (llama/server/CMakePresets.json)."""
    wanted = environment.get("OLLAMA_LLM_LIBRARY")
    for gpu in gpus:
        capability = _capability(gpu)
        if capability is None:
            continue
        lacks = (wanted == "cuda_v13" and capability < (7, 5)) or (wanted == "cuda_v12" and capability in _V13_ONLY)
        if lacks:
            yield (
                f"ollama.env.OLLAMA_LLM_LIBRARY is {wanted}, which is not built for {gpu.info.name} (compute "
                f"capability {capability[0]}.{capability[1]}): delete the line"
            )


def _integrated(environment: Mapping[str, str], gpus: list[Gpu]) -> Iterator[str]:
    if environment.get("OLLAMA_IGPU_ENABLE") == "0":
        for gpu in gpus:
            if _capability(gpu) in _INTEGRATED:
                yield f"ollama.env.OLLAMA_IGPU_ENABLE is false, which drops {gpu.info.name} too: delete the line"


def _overhead(environment: Mapping[str, str], gpus: list[Gpu]) -> Iterator[str]:
    """Ollama subtracts it from an unsigned number: more than the GPU has becomes a huge amount of memory."""
    overhead = int(environment.get("OLLAMA_GPU_OVERHEAD", "0"))
    for gpu in gpus:
        total = value_or_none(gpu.memory.total_bytes)
        if total is not None and overhead >= total:
            yield (
                f"ollama.env.OLLAMA_GPU_OVERHEAD is {overhead} bytes, and {gpu.info.name} has {total}: it counts bytes "
                "on each GPU"
            )


def _vulkan(context: Context, environment: Mapping[str, str]) -> Iterator[str]:
    """With Vulkan a GPU that CUDA refused still shows "100 % GPU", and GPUs that were not chosen are used."""
    pci = context.snapshot.pci
    if environment.get("OLLAMA_VULKAN") == "1" and isinstance(pci, Known) and pci.value:
        yield (
            "ollama.env.OLLAMA_VULKAN is true on a host with NVIDIA GPUs, where Vulkan would take over what CUDA "
            "refuses: delete the line"
        )

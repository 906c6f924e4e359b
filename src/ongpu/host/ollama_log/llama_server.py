"""llama.cpp's own lines, which Ollama passes through unchanged. Sample lines: Ollama 0.33.0-rc2 unless said."""

from __future__ import annotations

import re

from ongpu.host.ollama_log.draft import Draft
from ongpu.host.ollama_log.types import Buffer, BufferKind, UsedDevice

_MAX_LINE = 2000  # llama.cpp's lines are short

# cmn  common_param: common_params_print_info: build 0 (4df29be4f) with GNU 12.2.0 for Linux x86_64
BUILD = "common_params_print_info: build"
# srv  llama_server: model loaded            main: model loaded (llama.cpp until 2026-05)
_LOADED = re.compile(r"\b(?:llama_server|main): model loaded")
# srv    load_model: loading model '/srv/ollama/store/blobs/sha256-55cb…'
_LOADING = re.compile(r"\bload_model: loading model '([^']+)'")
# llama_model_loader: loaded meta data with 23 key-value pairs and 57 tensors from /srv/…/sha256-55cb… (version GGUF …
_META = re.compile(r"loaded meta data with \d+ key-value pairs and \d+ tensors from (\S+) \(version")
# load_tensors:   CPU_Mapped model buffer size =     0.44 MiB
# llama_kv_cache:    Vulkan0 KV buffer size =   384.00 MiB
# llm_load_tensors:      CUDA0 buffer size =  4403.49 MiB             (llama.cpp 2024: weights, without "model")
_BUFFER = re.compile(
    r"(?:(?P<by>[A-Za-z_]\w{0,60}):\s+)?(?<![\w.-])(?P<device>[A-Za-z][\w.-]*)\s+"
    r"(?:(?P<kind>model|KV|compute|output|RS)\s+)?buffer size\s*=\s*(?P<mib>\d{1,9}(?:\.\d{1,4})?) MiB"
)
# load_tensors: offloaded 25/25 layers to GPU
_OFFLOADED = re.compile(r"offloaded\s+(\d{1,6})/(\d{1,6})\s+layers to GPU")
# sched_reserve: graph splits = 2      sched_reserve: graph splits = 52 (with bs=512), 38 (with bs=1)
_SPLITS = re.compile(r"graph splits = (\d{1,6})(?: \(with bs=\d+\), (\d{1,6}) \(with bs=\d+\))?")
# common_params_fit_impl:   - Vulkan0 (llvmpipe (…)): 25 layers (18 overflowing),   1001 MiB used,   1046 MiB free
_FITTED = re.compile(r"- (\S{1,60}) \(.*\): +\d{1,6} layers(?: \( *(\d{1,6}) overflowing\))?,")
# llama_prepare_model_devices: using device CUDA0 (NVIDIA GeForce RTX 3060) (0000:01:00.0) - 11062 MiB free
# … using device Vulkan0 (llvmpipe (LLVM 15.0.6, 256 bits)) (unknown id) - 2048 MiB free
_USING = re.compile(r"using device (\S{1,60}) \((.*)\) - (\d{1,9}) MiB free")
_ADDRESS = re.compile(r"^(.*)\) \(((?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]|unknown id)$")
# common_params_fit_impl: will leave 1094 >= 1024 MiB of free device memory, no changes needed
# common_fit_params: failed to fit params to free device memory: n_gpu_layers already set by user to 999, abort
_FIT = re.compile(
    r"common_(?:params_fit_impl|fit_params): "
    r"((?:projected|will leave|cannot meet|context size|with only|failed|success|  - ).*)"
)
# llama_context: n_ctx                 = 8192         llama_new_context_with_model: n_ctx      = 8192
_NUMBER = re.compile(r"(?<!\w)(n_ctx|n_seq_max|n_vocab|n_embd) *= (\d{1,12})(?!\d)")
# llama_context: flash_attn            = auto         resolve_fused_ops: Flash Attention enabled
# sched_reserve: Flash Attention was auto, set to enabled (llama.cpp until 2026-05)
_FLASH = re.compile(r"(?:\bflash_attn += |Flash Attention (?:was auto, set to )?)(enabled|disabled|0|1)\b")
# print_info: file size   = 541.07 MiB (16.00 BPW)
_FILE = re.compile(r"file size += (\d{1,9}(?:\.\d{1,4})?) (MiB|GiB)")
# ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected
# alloc_tensor_range: failed to allocate Vulkan0 buffer of size 1073741824
# CUDA error: no kernel image is available for execution on the device
# error while handling argument "--cache-type-k": Unsupported cache type: foo
# llama_init_from_model: quantized V cache requires flash_attn to be enabled
_ERROR = re.compile(
    r"failed to (?:initialize|allocate|create|load|open|fit)|CUDA error|out of memory|no CUDA(?:-capable)? devices?"
    r"|error loading model|unable to load|error while handling|error while loading shared|requires flash_attn"
    r"|exiting due to model loading error|ggml_abort|GGML_ASSERT|terminate called|unsupported cache type",
    re.IGNORECASE,
)
# warning: no usable GPU found, --gpu-layers option will be ignored
# llama_model_loader: tensor overrides to CPU are used with mmap enabled - consider using --load-mode none …
_WARNING = re.compile(
    r"no usable GPU found|tensor overrides to CPU|not compiled with GPU|couldn't offload", re.IGNORECASE
)
# One of these is in everything that the two patterns match, in lower case.
_BAD_WORDS = (
    "fail", "error", "out of memory", "no cuda", "unable", "requires flash", "exiting due", "ggml_a", "terminate",
    "unsupported", "no usable", "overrides", "not compiled", "couldn't",
)  # fmt: skip


def model_named(text: str) -> str:
    """The model's path, in the two lines that name it; else empty."""
    if "load" not in text:
        return ""
    found = _LOADING.search(text) or _META.search(text)
    return found[1] if found else ""


def is_loaded(text: str) -> bool:
    """The runner says that its model is ready."""
    return "model loaded" in text and bool(_LOADED.search(text))


def opens_a_load(text: str) -> bool:
    """A line that only a model load prints: with no load open, its start was not seen."""
    return "model buffer size" in text or ("offloaded" in text and bool(_OFFLOADED.search(text)))


def take(draft: Draft, text: str) -> None:
    """Adds what one line says to the load it belongs to."""
    text = text[:_MAX_LINE]
    if "buffer size" in text:
        _take_buffer(draft, text)
    if "offloaded" in text and (found := _OFFLOADED.search(text)):
        draft.offloaded.append((int(found[1]), int(found[2])))
    if "graph splits" in text and (found := _SPLITS.search(text)):
        draft.graph_splits.extend(int(number) for number in found.groups() if number)
    if "using device" in text and (found := _USING.search(text)):
        draft.devices.append(_used(found))
    _take_numbers(draft, text)
    if "common_" in text and (
        found := _FIT.search(text)
    ):  # its "failed to fit params" only says that num_gpu was given: no error
        draft.fit.append(found[1].strip())
        if fitted := _FITTED.search(found[1]):
            draft.overflowing[fitted[1]] = int(fitted[2] or 0)
    elif _sounds_bad(text.lower()):
        if _ERROR.search(text):
            draft.errors.append(text.strip())
        elif _WARNING.search(text):
            draft.warnings.append(text.strip())


def _sounds_bad(lower: str) -> bool:
    """Whether the two patterns are worth trying: looking for plain words costs a tenth of that."""
    return any(word in lower for word in _BAD_WORDS)


def _take_buffer(draft: Draft, text: str) -> None:
    if found := _BUFFER.search(text):
        kind: BufferKind = found["kind"] or "model"  # type: ignore[assignment]  # the pattern's alternatives
        draft.buffers.append(Buffer(device=found["device"], kind=kind, mib=float(found["mib"]), by=found["by"] or ""))


def _used(found: re.Match[str]) -> UsedDevice:
    name, pci_id = found[2], ""
    if address := _ADDRESS.match(name):
        name, pci_id = address[1], address[2].lower()
    return UsedDevice(
        device=found[1], name=name, pci_id="" if pci_id == "unknown id" else pci_id, free_mib=int(found[3])
    )


def _take_numbers(draft: Draft, text: str) -> None:
    """The first of each counts: a draft model prints its own after the main model's."""
    if "n_" in text and (found := _NUMBER.search(text)):
        number = int(found[2])
        match found[1]:
            case "n_ctx" if draft.context is None:
                draft.context = number
            case "n_seq_max" if draft.parallel is None:
                draft.parallel = number
            case "n_vocab" if draft.vocabulary is None:
                draft.vocabulary = number
            case "n_embd" if draft.embedding_length is None:
                draft.embedding_length = number
            case _:
                pass
    elif ("flash_attn" in text or "Flash" in text) and (found := _FLASH.search(text)):
        draft.flash_attention = found[1] in ("enabled", "1")
    elif draft.file_mib is None and "file size" in text and (found := _FILE.search(text)):
        draft.file_mib = float(found[1]) * (1024 if found[2] == "GiB" else 1)

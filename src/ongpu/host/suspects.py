"""What in a runner's command line and environment keeps work off the GPU. Sources: llama.cpp, common/arg.cpp (every
option has a LLAMA_ARG_* twin that the runner inherits from the service), and ggml's own variables; tried on 0.33.0."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Judge = Callable[[str], bool]

_FALSE = frozenset({"", "0", "off", "disabled", "false"})
_NO_CUDA_DEVICE = re.compile(r"\s*(?:|-\d+.*|none|NoDevFiles)\s*", re.IGNORECASE)


def _is_set(value: str) -> bool:
    return True


def _is_true(value: str) -> bool:
    return value.strip().lower() not in _FALSE


def _is_false(value: str) -> bool:
    return value.strip().lower() in _FALSE - {""}


def _is_positive(value: str) -> bool:
    return value.strip() not in ("", "0")


def _names_the_cpu(value: str) -> bool:
    """`\\.ffn_.*_exps\\.=CPU` and its like; other targets are GPUs."""
    return re.search(r"=\s*(?:CPU|BLAS|\w*_Host)", value, re.IGNORECASE) is not None


def _is_none(value: str) -> bool:
    return value.strip().lower() in ("none", "cpu")


def _hides_cuda(value: str) -> bool:
    return _NO_CUDA_DEVICE.fullmatch(value) is not None


def _is_cpu_library(value: str) -> bool:
    return value.strip().lower().startswith("cpu")


# Environment: name -> is this value one that keeps work off the GPU (or hides where it is)?
VARIABLES: Mapping[str, Judge] = {
    "LLAMA_ARG_CPU_MOE": _is_true,
    "LLAMA_ARG_N_CPU_MOE": _is_positive,
    "LLAMA_ARG_OVERRIDE_TENSOR": _names_the_cpu,
    "LLAMA_ARG_KV_OFFLOAD": _is_false,
    "LLAMA_ARG_NO_KV_OFFLOAD": _is_set,  # with any value, also 0
    "LLAMA_ARG_DEVICE": _is_none,
    "LLAMA_ARG_NO_MMPROJ_OFFLOAD": _is_set,
    "LLAMA_ARG_MMPROJ_OFFLOAD": _is_false,
    "LLAMA_ARG_SPEC_DRAFT_DEVICE": _is_none,
    "LLAMA_ARG_SPEC_DRAFT_CPU_MOE": _is_true,
    "LLAMA_ARG_SPEC_DRAFT_N_CPU_MOE": _is_positive,
    "LLAMA_ARG_SPEC_DRAFT_OVERRIDE_TENSOR": _names_the_cpu,
    "GGML_CUDA_ENABLE_UNIFIED_MEMORY": _is_set,  # ggml-cuda asks only whether it is set; buffers may lie in RAM
    "GGML_VK_PREFER_HOST_MEMORY": _is_set,
    "CUDA_VISIBLE_DEVICES": _hides_cuda,
    "OLLAMA_LLM_LIBRARY": _is_cpu_library,
}
# Counts of layers: the main model's is judged with its number of layers; of a draft model only 0 is certain.
LAYER_VARIABLES = ("LLAMA_ARG_N_GPU_LAYERS",)
DRAFT_LAYER_VARIABLES = ("LLAMA_ARG_SPEC_DRAFT_N_GPU_LAYERS", "LLAMA_ARG_N_GPU_LAYERS_DRAFT")
# LLAMA_ARG_* that have nothing to do with where the model lies.
HARMLESS = re.compile(
    r"LLAMA_ARG_(?:FIT(?:_TARGET|_CTX)?|CTX_SIZE|N_PARALLEL|BATCH|UBATCH|FLASH_ATTN|CACHE_TYPE_[KV]|MODEL|PORT|HOST"
    r"|ALIAS|THREADS(?:_\w+)?|MMAP|NO_MMAP|MLOCK|LOAD_MODE|SPLIT_MODE|MAIN_GPU|TENSOR_SPLIT|LOG_\w+|TIMEOUT|API_KEY"
    r"|CONT_BATCHING|NO_CONT_BATCHING|JINJA|CHAT_TEMPLATE\w*|CACHE_PROMPT|CACHE_RAM|CACHE_REUSE|DEFRAG_THOLD|ROPE_\w+"
    r"|YARN_\w+|SPEC_TYPE|SPEC_DRAFT_(?:MODEL|HF_REPO|N_MAX|N_MIN|P_MIN|P_SPLIT|THREADS\w*)|EMBEDDINGS|RERANKING|POOLING|NUMA|OFFLINE|UI|WEBUI|NO_WEBUI|ENDPOINT_\w+|STATIC_PATH|SWA_FULL"
    r"|CTX_CHECKPOINTS|KV_UNIFIED|REASONING\w*|THINK\w*|N_PREDICT|CONTEXT_SHIFT|NO_CONTEXT_SHIFT|SSL_\w+)"
)
# Command line: options without a value ...
FLAGS = frozenset({"--cpu-moe", "-cmoe", "--no-kv-offload", "-nkvo", "--no-mmproj-offload"}) | frozenset(
    {"--cpu-moe-draft", "-cmoed", "--spec-draft-cpu-moe"}
)
# ... and option -> is this value one that keeps work off the GPU?
OPTIONS: Mapping[str, Judge] = {
    **dict.fromkeys(("--n-cpu-moe", "-ncmoe", "--n-cpu-moe-draft", "-ncmoed", "--spec-draft-n-cpu-moe"), _is_positive),
    **dict.fromkeys(
        ("--override-tensor", "-ot", "--override-tensor-draft", "-otd", "--spec-draft-override-tensor"), _names_the_cpu
    ),
    **dict.fromkeys(("--device", "-dev", "--device-draft", "-devd", "--spec-draft-device"), _is_none),
}
LAYER_OPTIONS = ("-ngl", "--gpu-layers", "--n-gpu-layers")
DRAFT_LAYER_OPTIONS = (
    *("-ngld", "--gpu-layers-draft", "--n-gpu-layers-draft"),
    *("--spec-draft-ngl", "--spec-draft-n-gpu-layers"),
)

"""A compatibility libcuda is found before the driver's.

What it means: The loader takes the libcuda of a cuda-compat package, which does not fit this driver or this card.
Why it matters: CUDA fails with 803 or 804 although the driver itself is sound.
How it comes about: An image or a host with cuda-compat on LD_LIBRARY_PATH or in ld.so.conf.d before the driver's path.
Fix: Put the driver's directory first, or take /usr/local/cuda/compat out (rm /etc/ld.so.conf.d/*compat*, ldconfig),
  restart Ollama or rebuild the image.
Fix safety: restart.
References: NVIDIA CUDA compatibility guide; CUDA errors 803 and 804.
"""

from __future__ import annotations

import re

from ongpu.rules.action import Action, Unset
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, gpus, settings
from ongpu.rules.rule import Hit, Rule, likely, proven

_COMPAT = words(
    r"/compat(?:/|\b)[^\n]{0,60}libcuda",
    r"\bcuda-compat\b",
    r"LD_LIBRARY_PATH[=:][^\n]{0,300}compat",
    r"/cuda(?:-[\d.]+)?/compat\b",
    r"LD_LIBRARY_PATH[^\n]{0,120}(?:fix|cure|solv|help|work)\w*",
)

_PATH = words(r"\bLD_LIBRARY_PATH=([^\s\"']{2,300})")

_OTHERS = re.compile(r"ollama|/cuda(?:-[\d.]{1,8})?/lib(?:64)?/?$")  # neither holds a libcuda


def check(seen: Evidence) -> Hit | None:
    cuda = codes.cuda_codes(seen)
    line = cuda.get(803) or cuda.get(804)
    compat = seen.told(_COMPAT)
    if line and compat:
        return proven("a compatibility libcuda is found before the driver's", compat, line)
    path = next(
        (hit.line for hit in seen.all(_PATH) if not all(_OTHERS.search(part) for part in hit.match[1].split(":"))), None
    )
    module, libraries = gpus.module_version(seen), gpus.library_versions(seen)
    if line and path and not (module and libraries and module[0] not in libraries):
        return likely("LD_LIBRARY_PATH leads to another libcuda than the driver's", path, line)
    return None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    """The loader's own directories are other people's files: only the variable is ours to take away."""
    return (Unset(("LD_LIBRARY_PATH",)),) if "LD_LIBRARY_PATH" in settings.environment(seen) else ()


RULE = Rule(
    id="SW-020",
    slug="cuda-compat-lib-conflict",
    severity="critical",
    check=check,
    needs=("log",),
    explains=("driver-library-mismatch", "wrong-libcuda-picked"),
    repair=_repair,
    fires=(
        "LD_LIBRARY_PATH=/usr/local/cuda/compat:/usr/lib\nggml_cuda_init: failed to initialize CUDA: system has unsupported display driver / cuda driver combination",
        "/usr/local/cuda-12.4/compat/libcuda.so.550.54.15\ncuInit err: 803",
    ),
    quiet=("/usr/local/cuda-12.4/compat/libcuda.so.550.54.15\nload_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""Ollama's runner does not find the CUDA libraries that it was linked with.

What it means: The runner starts and ends at once, because libcublas or libcudart of its CUDA version is not found.
Why it matters: The model does not load, or loads on the CPU.
How it comes about: A source build or a package linked against another CUDA version than is installed, or bundled
  libraries that were removed.
Fix: Install the complete Ollama release (it carries its own CUDA libraries), or the CUDA runtime of the version that
  the message names, then restart Ollama.
Fix safety: restart.
References: ld.so(8); exit status 127.
"""

from __future__ import annotations

from ongpu.rules.action import Reinstall, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_MISSING = words(
    r"error while loading shared libraries: lib(?!nvidia-ml|cuda\.so)\w+[^\n]{0,60}", r"lib(?:cublas\w*|cudart|cufft|curand|nccl|ggml[\w-]*)\.so[\w.]* => not found",
    r"lib(?:cublas\w*|cudart)\.so[\w.]*: cannot open shared object", r"llama runner process has terminated: exit status 127",
    r"version `lib(?:cublas\w*|cudart|ggml[\w-]*|stdc\+\+)[\w.]*' not found", r"version `GLIBC(?:XX)?_[\d.]+' not found[^\n]{0,120}",
    r"failed to (?:load|dlopen)[^\n]{0,80}lib(?:cublas\w*|cudart)[^\n]{0,60}cannot open",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_MISSING)
    return proven("Ollama's runner does not find the CUDA libraries that it needs", line) if line else None


RULE = Rule(
    id="SW-027",
    slug="runner-lib-missing",
    severity="critical",
    check=check,
    needs=("log", "package"),
    repair=always(Reinstall(), Restart()),
    fires=(
        "/tmp/ollama1/runners/cuda_v12/ollama_llama_server: error while loading shared libraries: libcublas.so.11: cannot open shared object file: No such file or directory",
        "\tlibcudart.so.11.0 => not found",
        "Error: llama runner process has terminated: exit status 127",
    ),
    quiet=("\tlibcudart.so.12 => /usr/local/lib/ollama/cuda_v12/libcudart.so.12 (0x00007f)",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

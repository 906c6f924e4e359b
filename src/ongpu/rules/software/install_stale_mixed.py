"""Files of different Ollama releases are mixed.

What it means: The program and its libraries are of different versions, or two installations lie on the path.
Why it matters: The CUDA backend cannot be loaded, or an old server goes on answering.
How it comes about: An upgrade over an old tree (files that the new release no longer has stay), a package beside the
  script's installation (/usr and /usr/local), or a server that was not restarted.
Fix: Remove lib/ollama and the binary of the wrong installation, install one complete release, restart Ollama.
Fix safety: restart.
References: Ollama docs/linux.mdx (remove old libraries before an upgrade).
"""

from __future__ import annotations

from ongpu.rules.action import Reinstall, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_MIXED = words(
    r"undefined symbol: (?:ggml|llama|gguf)_\w+", r"ollama version is (\d[\w.-]*)\s+Warning: client version is (?!\1$)", r"libggml[\w.-]*\.so[^\n]{0,60}(?:version|symbol)[^\n]{0,30}(?:not defined|mismatch|not found)",
    r"symbol lookup error: [^\n]{0,120}(?:ggml|ollama|llama)",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_MIXED)
    return proven("files of different Ollama releases are mixed", line) if line else None


RULE = Rule(
    id="SW-026",
    slug="install-stale-mixed",
    severity="critical",
    check=check,
    needs=("log", "package", "text"),
    explains=("install-incomplete", "runner-lib-missing"),
    repair=always(Reinstall(), Restart()),
    fires=(
        "failed to load /usr/lib/ollama/libggml-cuda.so: undefined symbol: ggml_backend_cuda_reg",
        "ollama version is 0.5.12\nWarning: client version is 0.5.7",
    ),
    quiet=("load_backend: loaded CUDA backend from /usr/local/lib/ollama/cuda_v12/libggml-cuda.so",),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

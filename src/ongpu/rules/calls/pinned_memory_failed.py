"""Main memory for fast transfers to the GPU could not be locked.

What it means: The runner asks for locked (pinned) memory for what it sends to the GPU, and got ordinary memory
  instead.
Why it matters: Loading, and models that are partly on the CPU, are slower.
How it comes about: Little free main memory, a limit on locked memory, or a container's or virtual machine's limits.
Fix: Free main memory, or raise the service's LimitMEMLOCK; GGML_CUDA_NO_PINNED=1 only silences the message.
Fix safety: restart.
References: ggml-cuda.cu (ggml_cuda_host_malloc).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(r"failed to allocate [\d.]+ MiB of pinned memory[^\n]{0,80}")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("main memory for transfers to the GPU could not be locked", line) if line else None


RULE = Rule(
    id="CALL-020",
    slug="pinned-memory-failed",
    severity="info",
    check=check,
    needs=("log",),
    fires=("ggml_cuda_host_malloc: failed to allocate 16607.35 MiB of pinned memory: out of memory",),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

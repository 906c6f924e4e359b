"""Work is left to the CPU although every layer counts as offloaded.

What it means: The runner says that all layers are on the GPU, and its buffers show weights or cache in main memory, or
  its graph changes between GPU and CPU many times for each token.
Why it matters: ollama ps says 100 % GPU, and the speed is that of the CPU.
How it comes about: Variables of llama.cpp that keep experts, tensors or the cache off the GPU, overflow of a
  mixture-of-experts model, or operations without GPU code (some caches and attention forms).
Fix: Look at the runner's environment (LLAMA_ARG_… in /proc/PID/environ) and at OLLAMA_KV_CACHE_TYPE, remove what moves
  work to the CPU, restart Ollama and load the model again.
Fix safety: restart.
References: llama.cpp load_tensors, llama_kv_cache and sched_reserve lines.
"""

from __future__ import annotations

from ongpu.host.ollama_log import Load
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement
from ongpu.rules.rule import Hit, Rule, likely, proven

_CPU_CACHE = words(r"\bCPU KV buffer size", r"\bCPU RS buffer size")
_CPU_WEIGHTS = words(r"CPU\w* model buffer size")
_SPLITS = words(r"graph splits = \d+[^\n]{0,60}")


def check(seen: Evidence) -> Hit | None:
    for load in reversed(seen.once(placement.loads_of)):
        if load.offloaded and load.offloaded[0][0] == load.offloaded[0][1] and not load.interleaved:
            return _of(seen, load)
    return None


def _of(seen: Evidence, load: Load) -> Hit | None:
    """Token embeddings always lie in main memory; they are never more than what lies on the GPU."""
    cache = load.mib("KV", cpu=True) + load.mib("RS", cpu=True)
    on_cpu, on_gpu = load.mib("model", cpu=True), load.mib("model", cpu=False)
    if cache:
        return proven(
            f"all layers count as offloaded, and {cache:.0f} MiB of cache lie on the CPU", seen.find(_CPU_CACHE)
        )
    if on_gpu and on_cpu > on_gpu:
        text = f"all layers count as offloaded, and {on_cpu:.0f} of {on_cpu + on_gpu:.0f} MiB of weights lie on the CPU"
        return proven(text, seen.find(_CPU_WEIGHTS))
    gpus = len({buffer.device for buffer in load.buffers if buffer.kind == "model" and buffer.is_gpu})
    splits = min(load.graph_splits, default=0)  # of a batch of one: each token, not the prompt
    if gpus and splits > gpus + 3:
        return likely(
            f"the graph has {splits} splits between GPU and CPU, where {gpus + 1} are usual", seen.find(_SPLITS)
        )
    return None


_LOADED = "load_tensors: offloaded 7/7 layers to GPU\nload_tensors:   CPU_Mapped model buffer size =     {cpu} MiB\nload_tensors:        CUDA0 model buffer size =     {gpu} MiB\n"

RULE = Rule(
    id="CALL-009",
    slug="hidden-cpu-work",
    severity="warning",
    check=check,
    needs=("log",),
    explains=("placement-not-measured",),
    fires=(
        _LOADED.format(cpu="20.42", gpu="2.42"),
        _LOADED.format(cpu="0.11", gpu="6.87") + "llama_kv_cache:        CPU KV buffer size =    12.00 MiB",
        _LOADED.format(cpu="0.11", gpu="6.87") + "sched_reserve: graph splits = 19 (with bs=512), 14 (with bs=1)",
    ),
    quiet=(
        _LOADED.format(cpu="0.11", gpu="6.87")
        + "llama_kv_cache:      CUDA0 KV buffer size =    12.00 MiB\nsched_reserve: graph splits = 2",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The GPU ran out of memory while the model was loaded or used.

What it means: An allocation on the GPU failed although Ollama had planned that it fits.
Why it matters: The load or the answer fails, or the model goes on with fewer layers or on the CPU.
How it comes about: Other programs took memory in between, the estimate was too low (vision models, large contexts,
  several GPUs), or too many layers were asked for.
Fix: Use a smaller context, lower num_gpu or OLLAMA_NUM_PARALLEL, close other programs on the GPU, or leave more free
  (OLLAMA_GPU_OVERHEAD before 0.30, LLAMA_ARG_FIT_TARGET since).
Fix safety: manual.
References: CUDA error 2 (cudaErrorMemoryAllocation); ggml-cuda.cu.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, settings
from ongpu.rules.rule import Hit, Rule, proven

_OOM = words(
    r"cuda\w* (?:malloc )?(?:failed|error)[^\n]{0,40}out of memory", "cudaMalloc failed", "failed to allocate (?:CUDA|compute|buffer)[^\n]{0,60}",
    "CUBLAS_STATUS_ALLOC_FAILED", r"unable to (?:allocate|load)[^\n]{0,40}(?:CUDA|backend|model)[^\n]{0,20}buffer", "out of memory[^\n]{0,80}(?:cuda|gpu)",
    "CUDA error[^\n]{0,80}out of memory", "NVML[^\n]{0,20}Insufficient Memory", "ggml_gallocr_reserve_n[^\n]{0,60}failed to allocate",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_OOM) or codes.cuda_codes(seen).get(2)
    if line is None or "device context" in line.text:
        return None
    context = settings.asked_context(seen)
    return proven("the GPU ran out of memory", line, context[1] if context else None)


RULE = Rule(
    id="HW-013",
    slug="vram-oom",
    severity="critical",
    check=check,
    needs=("log",),
    explains=("model-slightly-too-large",),
    fires=(
        "CUDA error 2 at ggml-cuda.cu:4856: out of memory",
        "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 4096.00 MiB on device 0: cudaMalloc failed: out of memory",
        'level=ERROR source=sched.go:455 msg="error loading llama server" error="llama runner process has terminated: cudaMalloc failed: out of memory"',
    ),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The GPU is busy, or reserved for one process.

What it means: The GPU is in exclusive or prohibited compute mode, or cannot give out another context.
Why it matters: Ollama's runner gets no context (CUDA 46) and falls to the CPU or ends.
How it comes about: nvidia-smi -c EXCLUSIVE_PROCESS (batch clusters do this) and another process on the GPU; sometimes
  a process that hangs in the driver.
Fix: If no other program needs the GPU for itself alone, set the default mode, with the commands below. Else end the
  other process (nvidia-smi lists it), then restart Ollama.
Fix safety: manual; it ends another program or changes a policy.
References: CUDA error 46 (cudaErrorDevicesUnavailable); nvidia-smi -q -d COMPUTE.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, gpus
from ongpu.rules.rule import Fill, Hit, Rule, likely, proven

_MODE = words(
    r"Compute Mode +: (?:Exclusive_Process|Exclusive_Thread|Prohibited)",
    r"compute mode[^\n]{0,20}(?:exclusive|prohibited)",
    r"Exclusive_Process",
)


def check(seen: Evidence) -> Hit | None:
    busy = codes.cuda_codes(seen).get(46)
    row = next((row.line for row in gpus.smi_rows(seen) if row.compute_mode.lower() != "default"), None)
    mode = seen.find(_MODE) or row
    if busy:
        return proven("the GPU gives out no context: it is busy or in exclusive mode", busy, mode)
    return likely("the GPU is in a compute mode that keeps programs off it", mode) if mode else None


RULE = Rule(
    id="ENV-009",
    slug="gpu-busy-or-exclusive",
    severity="critical",
    check=check,
    needs=("log", "smi"),
    commands=(
        "sudo nvidia-smi -i INDEX -c DEFAULT",
        "sudo systemctl restart ollama",
    ),
    fills=(Fill("INDEX", words(r"^GPU (\d{1,2}): Compute Mode +: (?!Default)\w")),),
    fires=(
        "CUDA error: CUDA-capable device(s) is/are busy or unavailable",
        'cuda driver library failed to get device context 46time=2025-01-15T01:21:34Z level=WARN source=gpu.go:449 msg="error looking up nvidia GPU memory"',
        "    Compute Mode                          : Exclusive_Process",
    ),
    quiet=("    Compute Mode                          : Default",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

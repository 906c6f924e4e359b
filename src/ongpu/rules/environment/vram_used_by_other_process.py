"""Other programs hold the GPU's memory.

What it means: Much of the GPU's memory was taken before the model came.
Why it matters: Fewer layers fit; the rest runs on the CPU.
How it comes about: A desktop, another inference or training program, another container, or a runner that was left over.
Fix: See whose they are (nvidia-smi lists them; the first command below says more) and stop them if they may end, or
  move one of the two to another GPU or host. Then restart Ollama, so that it counts the memory anew.
Fix safety: manual; it ends other programs.
References: nvidia-smi --query-compute-apps=pid,process_name,used_memory.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus, placement, shortage
from ongpu.rules.rule import Fill, Hit, Rule, likely, proven

_NEIGHBOUR = words(
    r"^\|\s+\d+\s+(?:N/A\s+N/A\s+)?\d+\s+(?:C|G|C\+G)\s+(?!\S*(?:ollama|llama-server))(\S[^|\n]{0,80}?)\s+(\d{3,6})MiB",
    r"failed to get device context 2\b",
)


def check(seen: Evidence) -> Hit | None:
    if placement.is_fully_on_gpu(seen):
        return None  # it was so when the server started; the models have found room since
    if line := shortage.neighbour(seen):
        return proven("much of the GPU's memory was taken before the model came", line, placement.not_on_gpu(seen))
    short = placement.not_on_gpu(seen) or placement.no_gpu(seen)
    rows = gpus.smi_rows(seen)
    other = seen.find(_NEIGHBOUR)
    full = next((row for row in rows if row.used_mib > 0.4 * row.total_mib), None)
    if short and other and full:
        return likely(f"other programs hold {full.used_mib} of {full.total_mib} MiB of the GPU", other, full.line)
    return None


RULE = Rule(
    id="ENV-010",
    slug="vram-used-by-other-process",
    severity="warning",
    check=check,
    needs=("log", "smi"),
    explains=(
        "model-slightly-too-large",
        "model-too-large",
        "vram-below-minimum",
        "vram-oom",
        "output-layer-too-large",
        "context-too-large",
        "resident-neighbour",
    ),
    commands=(
        "ps -o pid,user,lstart,args PID",
        "sudo kill PID",
        "sudo systemctl restart ollama",
    ),
    fills=(Fill("PID", words(r"^process (\d{1,9}) \(\S{1,80}\) holds \d+ MiB of GPU memory"), " "),),
    fires=(
        'level=INFO source=types.go:131 msg="inference compute" id=GPU-1 library=cuda compute=8.9 name="NVIDIA GeForce RTX 4090" total="23.6 GiB" available="4.1 GiB"',
    ),
    quiet=(
        'level=INFO source=types.go:42 msg="inference compute" id=0 library=CUDA compute=8.6 description="NVIDIA GeForce RTX 3060" total="12.0 GiB" available="10.7 GiB"',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

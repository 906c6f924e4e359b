"""CUDA cannot initialise on this kernel: the driver's heterogeneous memory management fails.

What it means: cuInit returns 3 (not initialised) although the driver and nvidia-smi are fine.
Why it matters: Models run on the CPU while everything looks healthy.
How it comes about: A fault of the driver's HMM part on some kernels and machines, or nvidia_uvm in a bad state.
Fix: Put options nvidia_uvm uvm_disable_hmm=1 into /etc/modprobe.d/nvidia-uvm.conf, stop Ollama, reload nvidia_uvm,
  start Ollama; upgrade the driver when a corrected one is there.
Fix safety: restart.
References: CUDA error 3 in Ollama docs/troubleshooting.mdx; parameter uvm_disable_hmm of nvidia_uvm.
"""

from __future__ import annotations

from ongpu.rules.action import ReloadModule, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, likely, proven

_HMM = words("uvm_disable_hmm", r"\bHMM\b", "uvm_hmm")


def check(seen: Evidence) -> Hit | None:
    line = codes.cuda_codes(seen).get(3)
    if line is None:
        return None
    named = seen.told(_HMM)
    text = "CUDA cannot initialise (error 3) although the driver runs"
    return proven(text, line, named) if named else likely(text, line)


RULE = Rule(
    id="SW-012",
    slug="uvm-hmm-init-failure",
    severity="critical",
    check=check,
    needs=("log",),
    explains=("install-incomplete", "nvidia-uvm-not-loaded"),
    commands=(
        "echo 'options nvidia_uvm uvm_disable_hmm=1' | sudo tee /etc/modprobe.d/nvidia-uvm.conf",
        "sudo systemctl stop ollama",
        "sudo modprobe -r nvidia_uvm",
        "sudo modprobe nvidia-uvm",
        "sudo systemctl start ollama",
    ),
    repair=always(ReloadModule("nvidia_uvm", "uvm_disable_hmm=1")),
    fires=("cuInit err: 3", "ggml_cuda_init: failed to initialize CUDA: initialization error"),
    quiet=("ggml_cuda_init: found 1 CUDA devices:",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

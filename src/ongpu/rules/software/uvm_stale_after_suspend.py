"""The driver's memory module did not survive suspend or hibernation.

What it means: nvidia_uvm lost its state while the machine slept; CUDA fails until it is reloaded.
Why it matters: Ollama found the GPU before and goes on without it, on the CPU, until module and service are restarted.
How it comes about: Suspend or hibernate without NVIDIA's suspend services, or without preserved video memory.
Fix: Stop Ollama, sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm, start Ollama. For good: enable nvidia-suspend,
  nvidia-hibernate and nvidia-resume, and set NVreg_PreserveVideoMemoryAllocations=1.
Fix safety: restart.
References: Ollama docs/gpu.mdx (laptop suspend and resume); Ollama issue 5464.
"""

from __future__ import annotations

from ongpu.rules.action import ReloadModule, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, placement, places
from ongpu.rules.rule import Hit, Rule, likely, proven

_RELOAD = words(r"\b(?:rmmod|modprobe -r) nvidia[-_]uvm", "nvidia_uvm is in use")


def check(seen: Evidence) -> Hit | None:
    cuda = codes.cuda_codes(seen)
    line = next((cuda[code] for code in (999, 719, 3, 46, 100, 101) if code in cuda), None)
    if slept := places.slept(seen):
        broken = line or placement.no_gpu(seen)
        return proven("CUDA fails since the machine slept", slept, broken) if broken else None
    if reload := seen.find(_RELOAD):
        return likely("nvidia_uvm had to be reloaded: its state is broken, as after a suspend", reload, line)
    return None


RULE = Rule(
    id="SW-011",
    slug="uvm-stale-after-suspend",
    severity="critical",
    check=check,
    needs=("kernel", "prose", "text"),
    explains=(
        "nvidia-uvm-not-loaded",
        "uvm-hmm-init-failure",
        "model-slightly-too-large",
        "gpu-busy-or-exclusive",
        "wrong-libcuda-picked",
    ),
    commands=(
        "sudo systemctl stop ollama",
        "sudo rmmod nvidia_uvm",
        "sudo modprobe nvidia_uvm",
        "sudo systemctl start ollama",
    ),
    repair=always(ReloadModule("nvidia_uvm")),
    fires=(
        "PM: suspend exit\ncuInit err: 999",
        "GPU is gone after resume from hibernation\ncudaSetDevice err: 999",
    ),
    quiet=("PM: suspend exit\nllama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""On a Jetson, the service's user may not open the GPU.

What it means: Jetson's GPU is opened through /dev/nvmap and others, for which the user has no permission.
Why it matters: CUDA fails for the service, and works for root and the desktop's user.
How it comes about: The user ollama is not in the groups video and render.
Fix: sudo usermod -aG video,render ollama, restart Ollama.
Fix safety: restart.
References: NVIDIA Jetson Linux (device nodes); CUDA error 801.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement
from ongpu.rules.rule import Hit, Rule, proven

_DENIED = words(
    r"NvRmMemInitNvmap failed[^\n]{0,40}Permission denied",
    r"/dev/nv(?:map|host[\w-]*|gpu\S*)'?:? [^\n]{0,30}Permission denied",
    r"NvRmMemInit failed",
)


def check(seen: Evidence) -> Hit | None:
    line = None if placement.is_fully_on_gpu(seen) else seen.find(_DENIED)
    return proven("the service's user may not open the Jetson's GPU (/dev/nvmap)", line) if line else None


RULE = Rule(
    id="ENV-008",
    slug="jetson-device-permission",
    severity="critical",
    check=check,
    needs=("log",),
    explains=("jetson-wrong-runtime", "driver-not-running"),
    commands=("sudo usermod -aG video,render ollama", "sudo systemctl restart ollama"),
    fires=("NvRmMemInitNvmap failed with Permission denied",),
    quiet=(
        "ggml_cuda_init: found 1 CUDA devices:",
        "NvRmMemInitNvmap failed with Permission denied\nload_tensors: offloaded 33/33 layers to GPU",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The NVIDIA driver is older than Ollama's CUDA libraries need.

What it means: The driver works, and cannot run the CUDA version that this Ollama release was built with.
Why it matters: CUDA is rejected and models run on the CPU, or by Vulkan with less speed.
How it comes about: Ollama was upgraded and the driver was not; or the distribution's driver is an old branch.
Fix: Install driver branch 570 or later (550 is the floor since 0.30.11, 570 for compute capability below 7.0, 580
  for CUDA 13), then restart. Until then stay on the Ollama release that worked.
Fix safety: reboot.
References: Ollama docs/gpu.mdx and discover/cuda_compat.go; CUDA errors 35, 200 and 222.
"""

from __future__ import annotations

from ongpu.rules.action import DRIVER, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, gpus, places
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(
    r"undefined symbol: cu[A-Z]\w+", "NVIDIA driver too old", "old CUDA driver detected", "nvidia driver[^\n]{0,40}too old",
    "driver on your system is too old", r"required_driver=", r"requirement error: unsatisfied condition: cuda>=",
    "please update your driver to a newer version", "minimum required driver",
)  # fmt: skip
_OLDEST = 450
# Compute capabilities that only the CUDA 13 build has, which needs branch 580 (Orin is a Jetson's, and has its own).
_ONLY_V13 = (10.3, 11.0, 12.1)
_SKIPPED = words(r"skipping CUDA device[^\n]{0,400}")


def check(seen: Evidence) -> Hit | None:
    module, cuda = gpus.module_version(seen), codes.cuda_codes(seen)
    which = f" ({module[0]})" if module else ""
    if line := seen.find(_SAID):
        return proven(f"the NVIDIA driver{which} is older than Ollama's CUDA libraries need", line)
    old = next((cuda[code] for code in (35, 222, 200) if code in cuda), None)
    if old and not places.jetson(seen) and not places.snap(seen):
        return proven(f"the NVIDIA driver{which} is older than Ollama's CUDA libraries need", old)
    branch = int(module[0].split(".")[0]) if module else 0
    new = next((value for value, _ in gpus.capabilities(seen) if value in _ONLY_V13), None)
    if module and branch < 580 and new and (skipped := seen.find(_SKIPPED)):
        text = f"compute capability {new} needs driver branch 580 or newer, here is {module[0]}"
        return proven(text, skipped, module[1])
    if module and branch < _OLDEST:
        return likely(f"driver {module[0]} is older than any CUDA version that Ollama uses", module[1])
    return None


RULE = Rule(
    id="SW-002",
    slug="driver-too-old",
    severity="critical",
    check=check,
    needs=("log", "smi"),
    explains=("cuda-arch-not-in-build", "vulkan-uses-hidden-gpu", "install-incomplete", "cuda-v13-picked-for-old-gpu"),
    repair=always(DRIVER, Restart()),
    fires=(
        "dlerr: /usr/lib64/libcuda.so.418.74: undefined symbol: cuCtxCreate_v3",
        'level=WARN source=cuda_compat.go:60 msg="NVIDIA driver too old" device=CUDA0 compute=8.6 driver=535 required_driver="550 or newer"',
        "ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient for CUDA runtime version",
        "cudaSetDevice err: 35",
        "CUDA error 222 at llm/ggml-cuda.cu:7003: the provided PTX was compiled with an unsupported toolchain.",
        "CUDA error: device kernel image is invalid",
    ),
    quiet=("| NVIDIA-SMI 580.95.05   Driver Version: 580.95.05   CUDA Version: 13.0 |",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The driver's user-space libraries are not there.

What it means: libcuda or libnvidia-ml is not installed, or not where the loader or the container toolkit looks.
Why it matters: No program can use the GPU, even if the kernel module runs.
How it comes about: Only the kernel module was installed, the libraries were removed by an upgrade, or the loader's
  cache is stale.
Fix: Install the driver's library packages of the same version as the module (libcuda1 and libnvidia-ml1 on Debian,
  libnvidia-compute-BRANCH on Ubuntu), run ldconfig, restart Ollama or the container.
Fix safety: restart.
References: nvidia-smi exit code 12; nvidia-container-cli "load library failed".
"""

from __future__ import annotations

from ongpu.rules.action import RelinkLibraries, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, proven

_MISSING = words(
    r"lib(?:nvidia-ml|cuda|nvidia-ptxjitcompiler)\.so(?:\.\d+)*: cannot open shared object", r"load library failed: lib(?:nvidia-ml|cuda)",
    r"couldn't find libnvidia-ml\.so", r"lib(?:cuda|nvidia-ml)\.so(?:\.\d+)* => not found", "NVML Shared Library Not Found",
    "PTX JIT compiler library was not found", r"dlopen libcuda\.so\.1: [^\n]{0,80}",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_MISSING) or codes.nvml_codes(seen).get(12)
    return proven("the driver's user-space libraries are missing", line) if line else None


RULE = Rule(
    id="SW-004",
    slug="driver-user-libs-missing",
    severity="critical",
    check=check,
    needs=("log", "smi", "container", "package"),
    explains=("container-without-gpu", "driver-not-running"),
    repair=always(RelinkLibraries(), Restart()),
    fires=(
        "nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: cannot open shared object file: no such file or directory: unknown.",
        "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA Display Driver is properly installed and present in your system.",
        'level=DEBUG source=native_probe.go:80 msg="native GPU discovery failed" error="dlopen libcuda.so.1: libcuda.so.1: cannot open shared object file"',
    ),
    quiet=("libcuda.so.1 => /usr/lib64/libcuda.so.1",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

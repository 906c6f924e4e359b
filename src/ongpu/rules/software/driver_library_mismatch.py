"""The driver's kernel module and its libraries have different versions.

What it means: The module that runs in the kernel is of another version than libcuda and libnvidia-ml on disk.
Why it matters: CUDA refuses to start; every model runs on the CPU, without an error in Ollama's answers.
How it comes about: The driver packages were upgraded (often by unattended upgrades) and the old module is still loaded.
Fix: Restart the host. Without a restart: stop everything that uses the GPU, unload nvidia_uvm, nvidia_drm,
  nvidia_modeset and nvidia, load nvidia and nvidia_uvm, restart Ollama. Hold the driver packages against
  unattended upgrades.
Fix safety: reboot.
References: NVML error 18; CUDA errors 803 and 804; NVRM "API mismatch" in the kernel log.
"""

from __future__ import annotations

from ongpu.rules.action import DRIVER, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, gpus
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(
    "driver/library version mismatch", "NVRM: API mismatch", "this kernel module has the version",
    "(?:RM|NVML/RM|driver)[^\n]{0,40}version mismatch", "LIB_RM_VERSION_MISMATCH",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    module, libraries = gpus.module_version(seen), gpus.library_versions(seen)
    versions = f": module {module[0]}, libraries {', '.join(libraries)}" if module and libraries else ""
    if line := seen.find(_SAID) or codes.nvml_codes(seen).get(18):
        return proven(f"the driver's kernel module and libraries have different versions{versions}", line)
    if module and libraries and not any(_same(module[0], version) for version in libraries):
        return proven(
            f"the driver's kernel module and libraries have different versions{versions}",
            module[1],
            *libraries.values(),
        )
    cuda = codes.cuda_codes(seen)
    if line := cuda.get(803) or cuda.get(804):
        return likely("CUDA finds a library that does not fit the loaded kernel module", line)
    return None


def _same(one: str, other: str) -> bool:
    """NVML prints the first two parts only: 580.159 is 580.159.03."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


RULE = Rule(
    id="SW-001",
    slug="driver-library-mismatch",
    severity="critical",
    check=check,
    needs=("smi", "kernel", "log"),
    explains=(
        "driver-not-running",
        "driver-upgrade-pending",
        "driver-too-old",
        "install-incomplete",
        "wrong-libcuda-picked",
        "nvidia-uvm-not-loaded",
    ),
    commands=("sudo systemctl reboot",),
    repair=always(DRIVER, Restart()),
    fires=(
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.159",
        "nvmlInit_v2 err: 18",
        "NVRM: API mismatch: the client 'ollama' (pid 812)\nNVRM: has the version 580.95.05, but\nNVRM: this kernel module has the version 570.86.15.",
        "ggml_cuda_init: failed to initialize CUDA: system has unsupported display driver / cuda driver combination",
        "cuInit failed: 804",
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15\nlibcuda.so.580.95.05",
    ),
    quiet=("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.03\nNVML library version: 580.159",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

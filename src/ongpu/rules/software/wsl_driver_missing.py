"""In WSL, no GPU driver of Windows is there.

What it means: WSL has no driver of its own: libcuda comes from Windows, under /usr/lib/wsl/lib, and is not usable
  here.
Why it matters: CUDA finds no device, and models run on the CPU.
How it comes about: An old or missing NVIDIA driver in Windows, WSL 1, or a Linux driver that was installed inside
  WSL.
Fix: Install NVIDIA's current driver in Windows, run wsl --update and wsl --shutdown, and remove every NVIDIA driver
  package inside WSL.
Fix safety: manual; in Windows.
References: NVIDIA CUDA on WSL user guide.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, placement, places
from ongpu.rules.rule import Hit, Rule, likely, possible

_WINDOWS = words(
    r"WSL environment detected but no adapters were found",
    r"GPU access blocked by the operating system",
    r"/usr/lib/wsl/lib[^\n]{0,80}(?:No such file|cannot access|not found)",
)


def check(seen: Evidence) -> Hit | None:
    wsl = places.wsl(seen)
    if wsl is None:
        return None
    if line := seen.find(_WINDOWS):
        return likely("WSL does not reach the GPU driver of Windows", line, wsl)
    failed = codes.nvml_codes(seen).get(9) or codes.nvml_codes(seen).get(17) or placement.none_found(seen)
    return possible("no GPU in WSL, where the driver of Windows is needed", failed, wsl) if failed else None


RULE = Rule(
    id="SW-049",
    slug="wsl-driver-missing",
    severity="critical",
    check=check,
    needs=(
        "smi",
        "log",
    ),
    explains=(
        "driver-not-running",
        "selinux-denies-device",
    ),
    fires=(
        "$ uname -r\n5.15.167.4-microsoft-standard-WSL2\n$ nvidia-smi\nFailed to initialize NVML: GPU access blocked by the operating system",
    ),
    quiet=("5.15.167.4-microsoft-standard-WSL2\nload_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

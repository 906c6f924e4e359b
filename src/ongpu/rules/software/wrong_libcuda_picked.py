"""Several generations of the driver's libraries are on disk, and a wrong one is taken.

What it means: Ollama finds libcuda or libnvidia-ml in several versions or places and does not get the right one.
Why it matters: CUDA fails although one of the libraries would work.
How it comes about: Leftovers of an older driver, a .run installer beside packages, or a Linux driver inside WSL, where
  only /usr/lib/wsl/lib counts.
Fix: Remove the libraries that do not belong to the running module (in WSL: every NVIDIA driver package), run ldconfig,
  restart Ollama.
Fix safety: restart.
References: Ollama discover/gpu.go ("discovered GPU libraries"); NVIDIA CUDA on WSL user guide.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence
from ongpu.rules.facts import codes, gpus
from ongpu.rules.pattern import regex
from ongpu.rules.rule import Hit, Rule, likely, proven

_PATHS = regex(r"/[^\s\[\]\",:]{1,200}/lib(?:cuda|nvidia-ml)\.so[\w.]{0,20}")
_CODES = (999, 100, 101, 3, 35, 46, 9, 304)


def check(seen: Evidence) -> Hit | None:
    found = {hit.match[0]: hit.line for hit in seen.all(_PATHS) if "ELFCLASS32" not in hit.line.text}
    versions = gpus.library_versions(seen)
    wsl = [path for path in found if "/wsl/" in path]
    mixed = bool(wsl) and len(wsl) < len(found)
    cuda, nvml = codes.cuda_codes(seen), codes.nvml_codes(seen)
    failed = next((cuda[code] for code in _CODES if code in cuda), None) or nvml.get(9)
    if failed is None or not found:
        return None
    first = next(iter(found.values()))
    if mixed:
        return proven("in WSL, NVIDIA libraries of a Linux driver are found beside those of Windows", first, failed)
    if len(versions) > 1:
        return likely(f"driver libraries of {len(versions)} versions are on disk: {', '.join(versions)}", first, failed)
    return None


RULE = Rule(
    id="SW-021",
    slug="wrong-libcuda-picked",
    severity="critical",
    check=check,
    needs=("log",),
    explains=(
        "nvidia-uvm-not-loaded",
        "driver-too-old",
        "driver-library-mismatch",
        "container-no-device-nodes",
        "uvm-hmm-init-failure",
        "driver-not-running",
    ),
    fires=(
        'msg="discovered GPU libraries" paths="[/usr/lib/x86_64-linux-gnu/libcuda.so.535.104.05 /usr/local/lib/libcuda.so.550.54.15]"\ncuInit err: 999',
        "Discovered GPU libraries: [/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.535.104.05 /usr/lib/wsl/lib/libnvidia-ml.so.1]\nCUDA error 100 at ggml-cuda.cu:495: no CUDA-capable device is detected",
    ),
    quiet=(
        'msg="discovered GPU libraries" paths="[/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15]"\nload_tensors: offloaded 33/33 layers to GPU',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

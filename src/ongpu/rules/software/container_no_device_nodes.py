"""The container has the driver's libraries and no usable device nodes.

What it means: libcuda was put into the container and finds no device, although a GPU was asked for.
Why it matters: Ollama in the container runs on the CPU.
How it comes about: /dev/nvidia* missing on the host when the container started (nvidia_uvm not loaded), device cgroups
  that forbid them, or only the library capability asked for.
Fix: On the host run nvidia-modprobe -u -c=0, then create the container anew with --gpus=all (or --device for each
  /dev/nvidia* node).
Fix safety: restart.
References: Ollama discover/gpu.go ("no nvidia devices detected"); nvidia-container-toolkit issues.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, places
from ongpu.rules.rule import Hit, Rule, likely, possible

_NONE = words(r"no nvidia devices detected[^\n]{0,120}")
_UNASKED = words(r"\b(?:docker|podman) run\b(?![^\n]{0,400}(?:--gpus|nvidia))")


def check(seen: Evidence) -> Hit | None:
    cuda = codes.cuda_codes(seen)
    line, inside = seen.find(_NONE) or cuda.get(100), places.container(seen) or places.lxc(seen)
    if line and inside and not seen.find(_UNASKED):
        return likely("the container has the driver's libraries and no usable GPU device", line, inside)
    named = seen.find(_NONE)
    return possible("libcuda is there and finds no usable GPU device", named) if named else None


RULE = Rule(
    id="SW-039",
    slug="container-no-device-nodes",
    severity="critical",
    check=check,
    needs=("log",),
    explains=("nvidia-uvm-not-loaded",),
    fires=(
        'docker run --runtime=nvidia ollama/ollama\nlevel=INFO msg="no nvidia devices detected" library=/usr/lib/x86_64-linux-gnu/libcuda.so.550.107.02',
    ),
    quiet=("docker run --gpus=all ollama/ollama\nload_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

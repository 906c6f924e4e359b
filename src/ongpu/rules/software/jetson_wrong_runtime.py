"""On a Jetson, Ollama uses CUDA libraries that are not for its JetPack.

What it means: Jetson modules need the CUDA build of their JetPack; the generic one does not run there.
Why it matters: CUDA fails (35 or 801) or finds nothing, and models run on the CPU.
How it comes about: The archive ollama-linux-arm64-jetpackN is not installed, or a container does not know that it is on
  a Jetson, or the JetPack is newer than this Ollama release.
Fix: Install the jetpack archive that fits (L4T R35: JetPack 5, R36: JetPack 6) beside the base archive; in a container
  use --runtime nvidia and set JETSON_JETPACK; for a newer JetPack upgrade Ollama.
Fix safety: restart.
References: Ollama discover/gpu.go (JetPack), docs/linux.mdx.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, placement, places
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(
    r"jetpack not detected[^\n]{0,80}",
    "unrecognized L4T version",
    r"Unexpected format for /etc/nv_tegra_release",
    r"unsupported (?:L4T|JetPack) version[^\n]{0,80}",
)


def check(seen: Evidence) -> Hit | None:
    jetson = places.jetson(seen)
    if line := seen.find(_SAID):
        missed = jetson and not placement.gpu_seen(seen)
        return proven("Ollama does not recognise this Jetson's JetPack", line) if missed else None
    if jetson is None:
        return None
    cuda = codes.cuda_codes(seen)
    failed = next((cuda[code] for code in (35, 801, 209, 999, 100, 222) if code in cuda), None)
    if failed:
        return proven("CUDA fails on a Jetson: its libraries are not those of this JetPack", failed, jetson)
    nothing = placement.no_gpu(seen)
    return (
        likely("this Jetson's GPU is not found: JetPack's CUDA build is missing", nothing, jetson) if nothing else None
    )


RULE = Rule(
    id="SW-032",
    slug="jetson-wrong-runtime",
    severity="critical",
    check=check,
    needs=("system", "log"),
    explains=(
        "driver-too-old",
        "nvidia-uvm-not-loaded",
        "cuda-arch-not-in-build",
        "driver-not-running",
        "install-incomplete",
    ),
    fires=(
        "# R39 (release), REVISION: 2.1, GCID: 46758480, BOARD: generic, EABI: aarch64\ncudaSetDevice err: 801",
        "L4T R36.4.0\ncudaSetDevice err: 35",
    ),
    quiet=(
        "# R36 (release), REVISION: 4.0, GCID: 1, BOARD: generic\nload_tensors: offloaded 33/33 layers to GPU",
        'level=DEBUG msg="jetpack not detected (set JETSON_JETPACK or OLLAMA_LLM_LIBRARY to override), skipping"\nlevel=INFO msg="inference compute" id=0 library=CUDA compute=12.1 description="NVIDIA GB10"',
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

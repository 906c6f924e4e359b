"""The installed package of Ollama has no CUDA library.

What it means: The distribution splits Ollama into packages, and only the one for the CPU is installed, or the CUDA one
  is empty.
Why it matters: Ollama cannot use the GPU, whatever the driver does.
How it comes about: Arch's ollama without ollama-cuda, a snap, Nix without acceleration = "cuda", or a faulty package.
Fix: Install the CUDA package (Arch: ollama-cuda; Nix: services.ollama.acceleration = "cuda"), or Ollama's own release.
Fix safety: restart.
References: Arch packages ollama and ollama-cuda; nixpkgs services.ollama.
"""

from __future__ import annotations

from ongpu.rules.action import Reinstall, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement, places
from ongpu.rules.rule import Hit, Rule, likely, possible, proven

_NOT_LOADED = words("error while loading shared libraries: lib(?:cudart|cublas)")
_EMPTY = words(
    r"ollama-cuda: 0 total files", r"package '?ollama-cuda'? (?:was )?not found", r"ollama-cuda[^\n]{0,20}(?:not installed|is not installed|none)",
    r"\bollama-\d[^\n]{0,60} USE=\"[^\"\n]{0,200}(?<![\w-])-cuda\b", r"acceleration = (?:null|false|\"\")", r"no (?:such )?package[^\n]{0,20}ollama-cuda",
)  # fmt: skip
_PACKAGED = words(
    r"^(?:local/|extra/)?ollama \d+\.\d+\.\d+-\d",
    r"^ollama-\d[\w.-]*\.(?:fc|el|x86)",
    r"/nix/store/[^\n]{0,60}ollama",
    r"/usr/lib(?:64|/\w+-linux-gnu)/ollama\b",
    r"OLLAMA_MODELS:/var/lib/ollama\b",
    r"\bapt (?:policy|show|install) ollama\b",
    r"pacman -\w+ ollama",
    r"/snap/ollama/",
    r"/var/snap/ollama",
    r"^ii +ollama ",
    r"brew/Cellar/ollama",
)
_DISTRIBUTION = words(
    r"\b(?:Arch Linux|Artix|Manjaro|CachyOS|EndeavourOS|Omarchy|NixOS|nixpkgs|Fedora package|Gentoo|Void Linux)\b",
    r"\bnix-shell -p ollama",
    r"services\.ollama\b",
    r"\bpacman -S\w* ollama\b",
)
# Distributions install there, and so do the container image and an archive that was unpacked into /usr.
_USR_LIB = words(r"/usr/lib/ollama/libggml-cpu")
_OWN_RELEASE = words(r"OLLAMA_MODELS:/usr/share/ollama/\.ollama")
_CUDA_PACKAGE = words(r"^(?:local/|extra/)?ollama-cuda \d", "libggml-cuda", r"/cuda_v1\d")
# Only libraries for the CPU, in a listing or in the server's own list of runners.
_ONLY_CPU = words(
    r"libggml-cpu(?:-\w+)?\.so", r"runners=\"?\[(?:cpu(?:_avx2?)? ?){1,3}\]", r"Dynamic LLM libraries \[(?:cpu(?:_avx2?)? ?){1,3}\]",
)  # fmt: skip
_CPU_BACKEND = words(r"libggml-cpu(?:-\w+)?\.so", "loaded CPU backend", r"compiler=cgo")


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_EMPTY):
        return proven("the package with Ollama's CUDA library is missing or empty", line)
    packaged = seen.find(_PACKAGED)
    unsure = None if packaged or seen.find(_OWN_RELEASE) else seen.find(_USR_LIB)
    nothing, told = placement.no_gpu(seen), seen.told(_DISTRIBUTION)
    only_cpu = seen.find(_ONLY_CPU)
    if packaged is None and (nothing or only_cpu) and told and not seen.find(_CUDA_PACKAGE):
        make = likely if only_cpu else possible
        return make(
            "a distribution that packages Ollama's CUDA library apart, and no GPU found", told, only_cpu or nothing
        )
    if (packaged or unsure) is None or seen.find(_CUDA_PACKAGE) or places.container(seen):
        return None
    cpu = seen.find(_CPU_BACKEND) or nothing
    if unsure:
        gap = (
            "no CUDA library under /usr/lib/ollama: a distribution's package for the CPU, or a container without a GPU"
        )
        return possible(gap, unsure, nothing)
    if places.snap(seen) and seen.find(_NOT_LOADED):
        return likely("the snap lacks the CUDA libraries that its runner needs", packaged)
    return likely("the distribution's Ollama package has no CUDA library", packaged, cpu) if cpu else None


RULE = Rule(
    id="SW-024",
    slug="distro-package-no-cuda",
    severity="critical",
    check=check,
    needs=("package", "log"),
    explains=("install-incomplete", "runner-lib-missing"),
    repair=always(Reinstall(), Restart()),
    fires=(
        "ollama-cuda: 0 total files, 0 missing files",
        "error: package 'ollama-cuda' was not found",
        "load_backend: loaded CPU backend from /usr/lib/ollama/libggml-cpu-haswell.so",
        'level=INFO msg="ggml backend load all from path" path=/nix/store/abc-ollama-0.6.2/lib/ollama\nload_backend: loaded CPU backend from /nix/store/abc-ollama-0.6.2/lib/ollama/libggml-cpu-haswell.so',
    ),
    quiet=("ollama 0.11.8-1\nollama-cuda 0.11.8-1",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

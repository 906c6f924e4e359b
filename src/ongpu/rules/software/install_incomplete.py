"""Ollama's GPU libraries are missing from its installation.

What it means: The ollama program is there, its directory lib/ollama with the CUDA backends is missing or incomplete.
Why it matters: Ollama sees the GPU and still computes on the CPU.
How it comes about: A failed upgrade or extraction, a full disk, only the binary copied, an install under another prefix.
Fix: Install the complete release of the same version again (the archive for the CPU architecture, into the same
  prefix), check that lib/ollama/cuda_v12 is there, restart Ollama.
Fix safety: restart.
References: Ollama scripts/install.sh, docs/linux.mdx; release assets by version.
"""

from __future__ import annotations

from ongpu.rules.action import Reinstall, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus, placement, places
from ongpu.rules.rule import Hit, Rule, likely, possible, proven

_MISSING = words(
    r"lib/ollama/?'?: No such file", r"llama-server binary not found", r"runner[^\n]{0,30}binary not found",
    r"binary not found \(checked", "unable to locate (?:gpu dependency|llm runner|runners)", r"no (?:suitable|dynamic) (?:llama|LLM)[^\n]{0,20}(?:servers|libraries) found",
    r"exec: \"?ollama_llama_server\"?: (?:executable file )?not found", r"lib/ollama[^\n]{0,80}(?:is )?(?:empty|missing)",
    r"llama-server not available for device discovery",
)  # fmt: skip
_NONE = words(r"compatible=\[\]")
_ONLY_CPU = words(r"runners=\"?\[(?:cpu(?:_avx2?)? ?){1,3}\]", r"Dynamic LLM libraries \[(?:cpu(?:_avx2?)? ?){1,3}\]")
_SYSTEM = words(
    r"msg=system (?:info=\"?)?CPU(?:\.0\.| :)[^\n]{0,400}(?:compiler=|cgo)", r"system_info:[^\n]{0,90}\bCPU :"
)
_CUDA_IN_SYSTEM = words(
    r"CUDA\.0\.",
    r"CUDA : ARCHS",
    "loaded CUDA backend",
    r"CUDA\d model buffer size",
    r"(?:device|buffer)=CUDA\d",
    r"offloaded [1-9]\d*/",
    r"load_tensors: offloaded 0/",  # llama.cpp says so only where a GPU backend is loaded
    r"loaded (?:Vulkan|ROCm) backend",
    r"using device (?:Vulkan|ROCm)\d",
)
_CPU_BACKEND = words("loaded CPU backend")
# msg="starting llama server" cmd="/tmp/ollama1/runners/cpu_avx2/ollama_llama_server --model … --n-gpu-layers 33"   (to 0.5.7)
_CPU_RUNNER = words(r"runners/cpu(?:_avx2?)?/ollama_llama_server[^\n]{0,400}--n-gpu-layers [1-9]")
_CUDA_RUNNER = words(r"runners/cuda_\w{1,12}/ollama_llama_server")
_LISTED = words(r"libggml-cpu(?:-\w+)?\.so")
_ANY_CUDA = words("libggml-cuda", r"cuda_v\d", r"CUDA\.0\.", "loaded CUDA backend", r"offloaded [1-9]\d*/")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_MISSING)
    if line and not placement.is_fully_on_gpu(seen):
        make = likely if "gpu dependency" in line.text else proven  # working hosts with their own CUDA say it too
        return make("Ollama's GPU libraries (lib/ollama) are missing", line, seen.find(_NONE))
    if line := seen.find(_ONLY_CPU):
        return proven("the installation has runners for the CPU only", line)
    gpu = placement.gpu_seen(seen) or next((line for _, line in gpus.names(seen)), None)
    if line := seen.find(_NONE):
        return likely("Ollama found no GPU library that it could load", line, gpu)
    if (line := seen.find(_CPU_RUNNER)) and not seen.find(_CUDA_RUNNER):
        return likely("layers were planned for the GPU, and there is only a runner for the CPU", line, gpu)
    if gpu and not seen.find(_CUDA_IN_SYSTEM) and (line := seen.find(_SYSTEM) or seen.find(_CPU_BACKEND)):
        by_ollama = placement.gpu_seen(seen)
        if by_ollama is None and places.container(seen):
            return None  # the GPU is the host's: was it given to the container?
        make = likely if by_ollama or not placement.none_found(seen) else possible
        return make("a GPU was found, and only the CPU backend was loaded", line, gpu)
    if (
        (line := seen.find(_SYSTEM))
        and "AVX" not in line.text
        and not seen.find(_CUDA_IN_SYSTEM)
        and not places.container(seen)
    ):
        return likely("Ollama runs without any of its backend libraries", line)
    listed = seen.find(_LISTED)
    if listed and listed.kind == "package" and not seen.find(_ANY_CUDA):
        return likely("lib/ollama holds libraries for the CPU only", listed, gpu)
    return None


RULE = Rule(
    id="SW-025",
    slug="install-incomplete",
    severity="critical",
    check=check,
    needs=("log", "package"),
    repair=always(Reinstall(), Restart()),
    fires=(
        'level=DEBUG source=server.go:259 msg="compatible gpu libraries" compatible=[]',
        'level=INFO source=routes.go:1267 msg="Dynamic LLM libraries" runners=[cpu]',
        "ls: cannot access '/usr/local/lib/ollama': No such file or directory",
        'level=INFO msg="failure during llama-server GPU discovery" error="llama-server binary not found (checked: /usr/local/lib/ollama/llama-server)"',
        "level=INFO source=server.go msg=offload library=cuda layers.requested=-1 layers.model=29 layers.offload=29\nlevel=INFO source=ggml.go:104 msg=system CPU.0.LLAMAFILE=1 compiler=cgo(gcc)",
    ),
    quiet=('level=INFO source=payload.go:44 msg="Dynamic LLM libraries [cpu cpu_avx cpu_avx2 cuda_v11 cuda_v12]"',),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

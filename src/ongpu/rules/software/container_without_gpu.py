"""The container was started without a GPU.

What it means: Ollama runs in a container, and its start does not ask for a GPU.
Why it matters: The host's GPU is invisible inside; models run on the CPU.
How it comes about: docker run without --gpus, or a compose file without a device reservation.
Fix: Remove the container and start it again with --gpus=all (podman: --device nvidia.com/gpu=all; its models stay in
  their volume), or add deploy.resources.reservations.devices (driver nvidia, capabilities
  [gpu]) to the compose file, and create it anew.
Fix safety: restart.
References: Ollama docs/docker.mdx; Docker compose GPU support.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, placement, places
from ongpu.rules.rule import Hit, Rule, likely, possible, proven

_START = words(
    r"\b(?:docker|podman|nerdctl) (?:container )?(?:run|create)\b[^\n]{0,400}ollama[^\n]{0,60}", r"^\s*image: \S*ollama"
)
_NONE_GIVEN = words(r"DeviceRequests[^\n]{0,60}(?:\[\]|null|<no value>)", r"DeviceRequests[^\n]{0,20}\s+(?:\[\]|null)$")
_NO_DEVICE = words(r"runs in a container [^\n]{0,60} that has no GPU device")  # a snapshot's own words
_TOLD = words(
    r"\b(?:without|no|missing|forgot\w*|lack\w*|omit\w*|left out|nothing about|never (?:passed|asked for))\b[^\n.]{0,30}(?:--gpus?\b|\bGPU (?:flag|option|request|reservation|devices?)|runtimeClass(?:Name)?\b|device plugin|\bGPUs\b)",
    r"(?:add(?:ed|ing)?|needed|with) --gpus?\b[^\n.]{0,60}\b(?:works?|fix|solv|help|cure|uses?)\w*",
)
# $ docker exec ollama nvidia-smi / sh: 1: nvidia-smi: not found      (the toolkit puts it into a container that has a GPU)
_NOT_INSIDE = words(
    r"\b(?:docker|podman|kubectl|crictl|nerdctl)\b[^\n]{0,80} exec\b[^\n]{0,200}nvidia-smi[\"']?\s{1,4}[^\n]{0,80}nvidia-smi[^\n]{0,30}not found",
    r"exec(?: failed)?: [^\n]{0,120}\"nvidia-smi\": executable file not found",
)
_ASKED = words(
    r"--gpus?\b", r"--device[= ]\S*(?:nvidia|/dev/)", r"--runtime[= ]nvidia", r"runtime(?:ClassName)?: nvidia", r"capabilities: *\[? ?\"?gpu", r"driver: nvidia", r"nvidia\.com/gpu",
    r"^\s*- ?\"?gpu\"?\s*$", r"(?<=[ \t])NVIDIA_VISIBLE_DEVICES", r"/dev/nvidia", r"^\s*gpus: all",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_NO_DEVICE):
        return proven("Ollama runs in a container that was given no GPU", line)
    nothing = placement.no_gpu(seen) or codes.cuda_codes(seen).get(100)
    start = seen.find(_START)
    if (line := seen.find(_NONE_GIVEN)) and nothing:
        return proven("the container was given no GPU", line, nothing)
    if line := seen.find(_NOT_INSIDE):
        return likely("the container has no nvidia-smi: it was started without a GPU", line, nothing)
    told = seen.told(_TOLD)
    if any(hit.line != told for hit in seen.all(_ASKED)):
        return None
    if told and told.kind in ("prose", "text", "container") and places.container(seen):
        return likely("the container was started without a GPU", told, nothing)
    if start:
        return likely("the container's start asks for no GPU", start, nothing)
    inside = places.container(seen)
    return (
        possible("Ollama runs in a container and found no GPU: was it started with one?", inside, nothing)
        if inside and nothing
        else None
    )


RULE = Rule(
    id="SW-038",
    slug="container-without-gpu",
    severity="critical",
    check=check,
    needs=("container",),
    explains=("driver-not-running",),
    fires=(
        "ollama runs in a container (docker) that has no GPU device",
        "docker run -d -v ollama:/root/.ollama -p 11434:11434 --name ollama ollama/ollama",
        'services:\n  ollama:\n    image: ollama/ollama:latest\n    ports:\n      - "11434:11434"',
    ),
    quiet=("docker run -d --gpus=all -v ollama:/root/.ollama -p 11434:11434 ollama/ollama",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The NVIDIA container toolkit is missing or not set up.

What it means: The container engine was asked for a GPU and has no runtime for it.
Why it matters: The container does not start, or starts without a GPU.
How it comes about: nvidia-container-toolkit is not installed, the engine was not configured for it, or not restarted.
Fix: Install nvidia-container-toolkit, sudo nvidia-ctk runtime configure --runtime=docker, sudo systemctl restart docker,
  start the container again.
Fix safety: manual; restarting Docker ends its containers.
References: NVIDIA container toolkit installation guide; Ollama docs/docker.mdx.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(
    "could not select device driver", r"unknown or invalid runtime name: \"?nvidia", r"unknown runtime specified \"?nvidia", r"unresolvable CDI devices? nvidia",
    r"nvidia-container-(?:toolkit|runtime(?:-hook)?|cli)\"?: (?:command |executable file )?not found", "failed to discover GPU vendor from CDI",
    r"exec: \"nvidia-container-\S+\": executable file not found", r"failed to inject CDI devices", r"nvidia-container-cli: (?:ldcache error|mount error: [^\n]{0,200}devices\.allow|container error: cgroup|container error: [^\n]{0,40}device cgroup)", r"package '?nvidia-container-toolkit'? (?:is )?not (?:found|installed)",
    r"invalid runtime[^\n]{0,20}nvidia", r"error adding CDI|CDI device injection failed",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return (
        proven("the container engine has no NVIDIA runtime: the container toolkit is missing or not set up", line)
        if line
        else None
    )


RULE = Rule(
    id="SW-037",
    slug="container-toolkit-missing",
    severity="critical",
    check=check,
    needs=("container",),
    explains=("container-without-gpu",),
    commands=("sudo nvidia-ctk runtime configure --runtime=docker", "sudo systemctl restart docker"),
    fires=(
        'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].',
        "docker: Error response from daemon: unknown or invalid runtime name: nvidia.",
        "Error: setting up CDI devices: unresolvable CDI devices nvidia.com/gpu=all",
    ),
    quiet=("$ docker run --gpus all ollama/ollama",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""The NVIDIA container toolkit is told not to set device permissions.

What it means: no-cgroups = true is set for an engine that runs as root: the container gets the device nodes and may
  not open them.
Why it matters: NVML says "Unknown Error" in the container from its start; Ollama runs on the CPU.
How it comes about: A setting for rootless engines that stayed, or was copied.
Fix: Set no-cgroups = false in /etc/nvidia-container-runtime/config.toml (sudo nvidia-ctk config --set
  nvidia-container-cli.no-cgroups=false --in-place), create the container anew.
Fix safety: restart.
References: NVIDIA container toolkit, rootless mode.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, possible, proven

_SET = words(r"^(?:[^\n#]{0,100}:)?\s*no-cgroups *= *true", r"no-cgroups(?:=| is | to )true")
_FIRST = words(r"\b(?:docker|podman) run\b[^\n]{0,200}nvidia-smi")


def check(seen: Evidence) -> Hit | None:
    failed = codes.nvml_codes(seen).get(999) or codes.nvml_codes(seen).get(4)
    if line := seen.find(_SET):
        return proven("the container toolkit sets no device permissions (no-cgroups = true)", line, failed)
    fresh = seen.find(_FIRST)
    return possible("a fresh container may not open the GPU", fresh, failed) if fresh and failed else None


RULE = Rule(
    id="SW-041",
    slug="toolkit-no-cgroups",
    severity="critical",
    check=check,
    needs=("container",),
    explains=("container-gpu-lost-cgroup", "container-no-device-nodes", "selinux-denies-device", "device-permission"),
    commands=("sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups=false --in-place",),
    fires=("no-cgroups = true",),
    quiet=("#no-cgroups = false",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

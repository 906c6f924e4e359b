"""The root causes that are staged on lab hosts, and what `ongpu fix` has to make of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Repaired by `ongpu fix` itself; the rule confirms it.
REPAIRED = """
cuda-visible-devices-hides-gpu llama-arg-override slurm-rocr-visible-devices env-var-invalid unified-memory-spill
num-parallel-too-high kv-cache-type-rejected fit-target-too-large device-permission cuda-stub-library
cuda-compat-lib-conflict vulkan-uses-hidden-gpu service-older-than-driver driver-not-running
module-missing-for-kernel nvidia-uvm-not-loaded nouveau-holds-device driver-user-libs-missing
uvm-stale-after-suspend uvm-hmm-init-failure fabric-manager-not-running runner-lib-missing install-incomplete
gpu-fallen-off-bus ecc-error nvswitch-error num-gpu-override context-too-large gpu-overhead-without-effect
gpu-dropped-by-driver kernel-module-flavour-wrong
"""


@dataclass(frozen=True)
class Typed:
    """Cured by the printed commands, typed one after the other. `words`: what a person puts for a placeholder that the
    finding does not fill. `before`: what is there already, like a token from the licence portal. `answer`: what a
    command asks for."""

    words: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    answer: str = ""


TYPED = {
    "power-cap-active": Typed(),
    "gpu-busy-or-exclusive": Typed(),
    "gpu-needs-reset": Typed(),
    "mig-enabled-unintended": Typed(),
    "vgpu-unlicensed": Typed({"TOKEN.tok": "/root/client.tok"}, before="echo token >/root/client.tok"),
    "xid-error": Typed(),
    "vram-used-by-other-process": Typed(),
    "secure-boot-module-rejected": Typed(answer="secret\nsecret\n"),
    "selinux-denies-device": Typed(),
    "nvidia-module-blacklisted": Typed(),
    "orphan-runner": Typed(),
    "server-does-not-start": Typed(),
}


@dataclass(frozen=True)
class Hand:
    """Work at the machine, at the client or at the inventory, which taking the fault back stands for: a part of what
    the fix prints about it."""

    printed: str


# In threes: the third host has two GPUs with 24 GB each.
BY_HAND = {
    "thermal-throttle": Hand("cooling"),
    "model-too-large": Hand("smaller"),
    "compute-capability-unsupported": Hand("another card"),
    "model-slightly-too-large": Hand("smaller"),
    "vram-below-minimum": Hand("smaller"),
    "cuda-arch-not-in-build": Hand("upgrade"),
    "vram-oom": Hand("smaller context"),
    "model-incompatible": Hand("Ollama"),
    "external-power-missing": Hand("cable"),
    "vgpu-profile-no-cuda": Hand("Q or C profile"),
    "pcie-link-degraded": Hand("slot"),
    "gpu-init-failed-bios": Hand("Above 4G"),
    "gpu-absent": Hand("seat"),
    "driver-regression": Hand("branch"),
    "gpu-discovery-timeout": Hand("nvidia-persistenced"),
    "container-without-gpu": Hand("--gpus=all"),
}
# Any two or three of these can be seen on one host at the same time.
TOGETHER = """
thermal-throttle power-cap-active pcie-link-degraded ecc-error vgpu-unlicensed xid-error external-power-missing
llama-arg-override slurm-rocr-visible-devices unified-memory-spill gpu-overhead-without-effect env-var-invalid
nvswitch-error cuda-visible-devices-hides-gpu gpu-needs-reset selinux-denies-device
"""
ALONE = "driver-library-mismatch"  # packages are exchanged: slow, and on one host
CAUSES = (*REPAIRED.split(), *TYPED, *BY_HAND, ALONE)

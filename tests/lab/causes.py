"""The root causes that are staged on lab hosts, and what `ongpu fix` has to make of each."""

from __future__ import annotations

from dataclasses import dataclass

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
class Hand:
    """What a person does: a part of what the fix prints, and the commands that it means here; without commands it is
    work at the machine, at the client or at the inventory, which taking the fault back stands for."""

    printed: str
    commands: str = ""


# In threes: the third host has two GPUs with 24 GB each.
BY_HAND = {
    "thermal-throttle": Hand("cooling"),
    "power-cap-active": Hand("nvidia-smi -pl"),
    "compute-capability-unsupported": Hand("another card"),
    "cuda-arch-not-in-build": Hand("upgrade"),
    "gpu-busy-or-exclusive": Hand("nvidia-smi -c DEFAULT"),
    "vgpu-profile-no-cuda": Hand("Q or C profile"),
    "vgpu-unlicensed": Hand("token"),
    "gpu-needs-reset": Hand("reset"),
    "pcie-link-degraded": Hand("slot"),
    "model-too-large": Hand("smaller"),
    "model-slightly-too-large": Hand("smaller"),
    "mig-enabled-unintended": Hand("-mig 0"),
    "vram-below-minimum": Hand("smaller"),
    "vram-oom": Hand("smaller context"),
    "model-incompatible": Hand("Ollama"),
    "xid-error": Hand("reset"),
    "selinux-denies-device": Hand("setsebool"),
    "external-power-missing": Hand("cable"),
    "gpu-init-failed-bios": Hand("Above 4G"),
    "secure-boot-module-rejected": Hand("mokutil"),
    "gpu-absent": Hand("seat"),
    "vram-used-by-other-process": Hand("stop or move them", "systemctl stop lab-neighbour"),
    "driver-regression": Hand("branch"),
    "nvidia-module-blacklisted": Hand(
        "Remove the line (grep -rn nvidia /etc/modprobe.d", "sed -i /nvidia/d /etc/modprobe.d/blacklist-nvidia.conf"
    ),
    "orphan-runner": Hand("kill"),
    "gpu-discovery-timeout": Hand("nvidia-persistenced"),
}
ALONE = "driver-library-mismatch"  # packages are exchanged: slow, and on one host
CAUSES = (*REPAIRED.split(), *BY_HAND, ALONE)

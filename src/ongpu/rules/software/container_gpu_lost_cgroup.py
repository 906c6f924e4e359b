"""The running container lost its access to the GPU.

What it means: The container could use the GPU when it started, and its device permissions were taken away since.
Why it matters: New model loads go to the CPU until the container is restarted.
How it comes about: systemd rewrote the container's device rules (systemctl daemon-reload, package upgrades) with the
  systemd cgroup driver.
Fix: Restart the container. For good: CDI devices, or "exec-opts": ["native.cgroupdriver=cgroupfs"] in
  /etc/docker/daemon.json, or --device for each /dev/nvidia* node.
Fix safety: restart.
References: nvidia-container-toolkit issue 48; Ollama docs/troubleshooting.mdx.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, placement, places
from ongpu.rules.rule import Hit, Rule, likely, proven

_RELOADED = words(
    "daemon-reload",
    r"cgroup[^\n]{0,80}reload",
    r"native\.cgroupdriver=cgroupfs",
    r"(?:after (?:a while|some time|\w+ (?:hours?|days?))|randomly|eventually)[^\n]{0,100}(?:cpu|gpu|lose|lost|stop)",
)
_RESTARTED = words(
    r"restart(?:ing|ed)?[^\n]{0,30}(?:container|docker|pod)[^\n]{0,60}(?:fix|help|again|works|restor|solv)"
)
_BACK = words(
    r"(?:docker|podman|kubectl)[^\n]{0,20} (?:restart|delete pod)[^\n]{0,60}(?:back|fix|help|again|works|restor|solv|cure)"
)
_STALE = words("unable to refresh free memory, using old values")
_HANDLE = words("Unable to determine the device handle", r"Xid \(", "off the bus")


def check(seen: Evidence) -> Hit | None:
    cuda, nvml = codes.cuda_codes(seen), codes.nvml_codes(seen)
    if line := cuda.get(800):
        return proven("the container lost its access to the GPU (CUDA: not permitted)", line, nvml.get(999))
    if seen.find(_HANDLE):
        return None
    inside, reloaded = places.container(seen), seen.told(_RELOADED)
    if line := nvml.get(999):
        make = proven if reloaded else likely
        return make("the container lost its access to the GPU (NVML: unknown error)", line, reloaded or inside)
    gone = next((cuda[code] for code in (100, 999) if code in cuda), None) or placement.no_gpu(seen)
    if (stale := seen.find(_STALE)) and inside:
        return likely("the container lost its access to the GPU: its memory can no longer be read", stale, inside)
    if inside and gone and (again := reloaded or seen.told(_RESTARTED) or seen.told(_BACK)):
        return likely("the container lost its access to the GPU while it ran", again, gone)
    if inside and reloaded and reloaded.kind in ("prose", "text") and not placement.gpu_seen(seen):
        return likely("the container lost its access to the GPU while it ran", reloaded, inside)
    return None


RULE = Rule(
    id="SW-040",
    slug="container-gpu-lost-cgroup",
    severity="critical",
    check=check,
    needs=("container", "log", "smi"),
    explains=("nvidia-uvm-not-loaded", "container-without-gpu", "container-no-device-nodes", "free-memory-not-read"),
    commands=("docker restart ollama",),
    fires=(
        "root@0123456789ab:/# nvidia-smi\nFailed to initialize NVML: Unknown Error",
        'cuda driver library failed to get device context 800time=2025-01-15T07:00:00Z level=WARN source=gpu.go:434 msg="error looking up nvidia GPU memory"',
    ),
    quiet=(
        "$ docker exec ollama nvidia-smi\n| NVIDIA-SMI 580.95.05   Driver Version: 580.95.05   CUDA Version: 13.0 |",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""SELinux denies access to the GPU's device nodes.

What it means: The process, usually in a container, has the nodes and SELinux's policy forbids to use them.
Why it matters: NVML says "Insufficient Permissions" and Ollama runs on the CPU.
How it comes about: An enforcing host (RHEL, Fedora) without NVIDIA's container policy.
Fix: For a container allow devices (setsebool, below) or run it with --security-opt label=disable, and start it again.
  For the service itself sudo restorecon -Rv /dev sets lost labels; what is denied is in sudo ausearch -m avc -ts today.
  Restart Ollama.
Fix safety: restart.
References: container-selinux; ausearch -m avc.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, likely, proven

_DENIED = words(
    r"avc: +denied[^\n]{0,300}(?:nvidia|xserver_misc_device|ollama)",
    r"SELinux is preventing[^\n]{0,200}(?:nvidia|ollama)",
)
_ON = words(
    r"^\s*Enforcing\b",
    r"SELinux status: *enabled",
    r"Current mode: *enforcing",
    r"getenforce[^\n]{0,10}\s+Enforcing",
    "SELinux[^\n]{0,40}enforcing",
    r"setsebool|label=disable|setenforce",
    r"xserver_misc_device_t|container_file_t",
)


def check(seen: Evidence) -> Hit | None:
    on = seen.told(_ON)
    if line := seen.find(_DENIED):
        return proven("SELinux denies access to the GPU", line, on)
    nvml, cuda = codes.nvml_codes(seen), codes.cuda_codes(seen)
    failed = nvml.get(4) or nvml.get(17) or nvml.get(999) or cuda.get(100)
    return likely("SELinux is enforcing and the GPU may not be opened", failed, on) if on and failed else None


RULE = Rule(
    id="ENV-006",
    slug="selinux-denies-device",
    severity="critical",
    check=check,
    needs=("kernel", "smi", "system"),
    explains=("device-permission", "container-no-device-nodes", "container-gpu-lost-cgroup"),
    commands=(
        "sudo setsebool -P container_use_devices on",
        "sudo systemctl restart ollama",
    ),
    fires=(
        "Failed to initialize NVML: Insufficient Permissions\n$ getenforce\nEnforcing",
        'avc:  denied  { read write } for  pid=1 comm="ollama" name="nvidiactl" tclass=chr_file',
    ),
    quiet=("$ getenforce\nPermissive",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

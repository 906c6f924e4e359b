"""CUDA_VISIBLE_DEVICES hides the GPUs.

What it means: The variable is set to nothing, to -1, or to a device that is not in this machine.
Why it matters: CUDA sees no GPU, so Ollama runs on the CPU.
How it comes about: A unit, a drop-in, /etc/environment or a container's environment sets it; a card was exchanged and
  its UUID stayed there.
Fix: Remove it from where it is set (systemctl cat ollama; /etc/environment; the container's -e), or set it to a UUID
  from nvidia-smi -L, and restart Ollama.
Fix safety: restart.
References: CUDA programming guide (environment variables); Ollama docs/gpu.mdx.
"""

from __future__ import annotations

from ongpu.rules.action import Action, Unset
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, gpus, placement, settings
from ongpu.rules.rule import Hit, Rule, likely, proven

_UUID = words(r"(?:GPU|MIG)-[0-9a-f]{8}[0-9a-f-]{0,40}")
_OVERRODE = words("user overrode visible devices[^\n]{0,120}(?:CUDA|NVIDIA|GGML_VK)_VISIBLE_DEVICES[^\n]{0,120}")
_NAMES = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")


def check(seen: Evidence) -> Hit | None:
    environment = settings.environment(seen)
    for name in _NAMES:
        setting = environment.get(name)
        if setting is None:
            continue
        value = setting.value.strip().strip("'\"").lower()
        if value in ("-1", "none", "void", "nodevfiles", "no") or (not value and setting.is_explicit):
            return proven(f"{name}={setting.value.strip() or '(empty)'} hides every GPU", setting.line)
        if foreign := _foreign(seen, value):
            return proven(f"{name} names a GPU that is not here: {foreign}", setting.line)
        nothing = placement.no_gpu(seen) or codes.cuda_codes(seen).get(100) or codes.cuda_codes(seen).get(101)
        if value.isdecimal() and nothing and (count := len(gpus.names(seen))) and int(value) >= count:
            return likely(f"{name}={value} names a GPU that is not here: there are {count}", setting.line, nothing)
    vulkan = environment.get("OLLAMA_VULKAN")
    off = vulkan is not None and vulkan.value.lower() in ("0", "false", "f")
    line = next((hit.line for hit in seen.all(_OVERRODE) if not (off and "GGML_VK" in hit.line.text)), None)
    if line and (nothing := placement.none_found(seen)):
        return likely("a variable limits the visible GPUs, and none was found", line, nothing)
    return None


def _foreign(seen: Evidence, value: str) -> str:
    """A UUID in the variable that is none of those which nvidia-smi lists; empty when it lists none."""
    listed = [hit.match[0].lower() for hit in seen.all(_UUID) if "UUID:" in hit.line.text]
    wanted = [part.strip() for part in value.split(",") if part.strip().startswith(("gpu-", "mig-"))]
    return next((one for one in wanted if listed and not any(uuid.startswith(one) for uuid in listed)), "")


def _repair(seen: Evidence) -> tuple[Action, ...]:
    there = tuple(name for name in _NAMES if name in settings.environment(seen))
    return (Unset(there),) if there else ()


RULE = Rule(
    id="ENV-002",
    slug="cuda-visible-devices-hides-gpu",
    severity="critical",
    check=check,
    needs=("env", "log"),
    explains=("install-incomplete", "nvidia-uvm-not-loaded", "container-no-device-nodes", "container-without-gpu"),
    commands=(
        "systemctl cat ollama | grep -n CUDA_VISIBLE_DEVICES",
        "sudo systemctl edit ollama   # [Service] UnsetEnvironment=CUDA_VISIBLE_DEVICES",
        "sudo systemctl restart ollama",
    ),
    repair=_repair,
    fires=(
        "CUDA_VISIBLE_DEVICES=-1",
        'Environment="CUDA_VISIBLE_DEVICES="',
        "GPU 0: NVIDIA RTX A4000 (UUID: GPU-00000001-aaaa-bbbb-cccc-000000000001)\nCUDA_VISIBLE_DEVICES=GPU-99999999-aaaa-bbbb-cccc-000000000001",
    ),
    quiet=(
        "CUDA_VISIBLE_DEVICES=0",
        'level=INFO msg="server config" env="map[CUDA_VISIBLE_DEVICES: OLLAMA_DEBUG:INFO]"',
    ),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

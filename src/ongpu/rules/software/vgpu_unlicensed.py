"""The virtual GPU has no licence.

What it means: This is a vGPU guest, and NVIDIA's driver slows it down without a licence.
Why it matters: It works for about 20 minutes after start, then becomes very slow, or CUDA stops.
How it comes about: The client token is missing, wrong or expired, or the licence server cannot be reached.
Fix: Get the client configuration token (TOKEN.tok) from the licence portal or from who runs your licence server, and put
  it on this host, with the commands below. FeatureType in /etc/nvidia/gridd.conf must be right (1 = vGPU). If it stays
  unlicensed, journalctl -u nvidia-gridd says why (an old token, a clock that is wrong, no way to the server).
Fix safety: safe.
References: NVIDIA virtual GPU client licensing guide.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus
from ongpu.rules.rule import Hit, Rule, likely, possible, proven

_UNLICENSED = words(
    r"License Status *: *Unlicensed", r"License Status *: *(?:Restricted|Expired)", r"\bUnlicensed \((?:Un)?restricted\)",
    r"nvidia-gridd[^\n]{0,120}(?:failed to acquire|unlicensed|expired|not (?:acquired|licensed)|license[^\n]{0,20}(?:fail|error))",
    "Failed to acquire(?:/renew)? (?:a )?license", "valid (?:GRID|vGPU) license not found", r"nvidia-gridd[^\n]{0,120}license server unavailable", "(?:vGPU|GRID)[^\n]{0,60}(?:unlicensed|no licen[cs]e)",
)  # fmt: skip
# vGPUs are throttled after 20 minutes; nvidia-smi -q is then seldom at hand, and people tell what they found.
_TOLD = words(
    r"\bvGPU\b(?! Software)[^\n]{0,120}\b(?:un)?licen[cs]",
    r"\blicen[cs]\w*[^\n]{0,80}\b(?:vGPU|GRID)\b",
    r"\bGRID\b[^\n]{0,80}\blicen[cs]",
)
_SLOW = words(
    r"timed out waiting for (?:llama runner|llama-server)", r"\b(?:slow(?:s|ed|er|ly)?|crawl|hangs?|stuck|throttl\w+|per token|degrad\w+)\b",
)  # fmt: skip
_LICENSED = words(r"License Status *: *Licensed")
_PROFILE = words(r"\w-\d{1,3}[QCB]$", r"^GRID \w")


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_UNLICENSED):
        return proven("the virtual GPU has no licence and is slowed down", line)
    if seen.find(_LICENSED):
        return None
    for name, line in gpus.names(seen):
        if _PROFILE.search(name):
            slow = seen.told(_SLOW)
            make = likely if slow else possible
            return make(f"{name} is a virtual GPU: without a licence it is slowed down", line, slow)
    if (told := seen.told(_TOLD)) and told.kind in ("prose", "text"):
        return likely("the virtual GPU may have no licence and is then slowed down", told)
    return None


RULE = Rule(
    id="SW-017",
    slug="vgpu-unlicensed",
    severity="warning",
    check=check,
    needs=("smi",),
    explains=("load-timeout", "hidden-cpu-work"),
    commands=(
        "sudo install -m 0744 TOKEN.tok /etc/nvidia/ClientConfigToken/",
        "sudo systemctl restart nvidia-gridd",
        "nvidia-smi -q | grep 'License Status'",
    ),
    fires=(
        "        License Status                    : Unlicensed (Unrestricted)",
        "nvidia-gridd[812]: Failed to acquire license from license.example:443",
        "GPU 0: GRID T4-8C (UUID: GPU-00000001-aaaa-bbbb-cccc-000000000001)",
    ),
    quiet=("        License Status                    : Licensed (Expiry: 2026-1-1 0:0:0 GMT)",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

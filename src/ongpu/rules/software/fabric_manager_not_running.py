"""The fabric manager of an NVSwitch machine does not run.

What it means: The GPUs of this machine are joined by NVSwitch, and CUDA waits for the fabric manager to set it up.
Why it matters: nvidia-smi is fine, CUDA returns 802, and Ollama runs on the CPU.
How it comes about: nvidia-fabricmanager is not installed, not enabled, or of another version than the driver.
Fix: Install nvidia-fabricmanager in exactly the driver's version, enable and start it, then restart Ollama.
Fix safety: restart.
References: CUDA error 802 (cudaErrorSystemNotReady); NVIDIA Fabric Manager user guide.
"""

from __future__ import annotations

from ongpu.rules.action import EnableUnit, Restart, always
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, proven

_DOWN = words(
    r"nvidia-fabricmanager[^\n]{0,80}(?:failed|inactive|not found|could not be found|dead)", r"fabric ?manager[^\n]{0,120}(?:mis-?match|(?:does(?: not|n't)|don't) match|not running|failed|incompatible)",
    r"Fabric\s+State *: *(?:In Progress|Not Started)", r"^\s+State +: (?:In Progress|Not Started)", r"nvidia-fabricmanager\.service[\s\S]{0,300}?Active: (?:failed|inactive)",
    "FM version[^\n]{0,60}driver version",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    down, waits = seen.find(_DOWN), codes.cuda_codes(seen).get(802)
    if waits or down:
        return proven("the fabric manager does not run, or not in the driver's version: CUDA is not ready", waits, down)
    return None


RULE = Rule(
    id="SW-013",
    slug="fabric-manager-not-running",
    severity="critical",
    check=check,
    needs=("log", "smi", "system"),
    explains=("install-incomplete", "driver-library-mismatch", "wrong-libcuda-picked"),
    commands=("sudo systemctl enable --now nvidia-fabricmanager", "sudo systemctl restart ollama"),
    repair=always(EnableUnit("nvidia-fabricmanager.service"), Restart()),
    fires=(
        "cuInit err: 802",
        "ggml_cuda_init: failed to initialize CUDA: system not yet initialized",
        "nvidia-fabricmanager.service: Failed with result 'exit-code'.",
        "    Fabric\n        State                             : In Progress",
    ),
    quiet=(
        "    Fabric\n        State                             : Completed\n        Status                            : Success",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

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
from ongpu.rules.facts import codes, placement
from ongpu.rules.rule import Hit, Rule, likely, possible, proven

_DOWN = words(
    r"nvidia-fabricmanager[^\n]{0,80}(?:failed|inactive|dead|could not be found \()", r"fabric ?manager[^\n]{0,120}(?:mis-?match|(?:does(?: not|n't)|don't) match|not running|failed|incompatible)",
    r"Fabric\s+State *: *(?:In Progress|Not Started)", r"^\s+State +: (?:In Progress|Not Started)", r"nvidia-fabricmanager\.service[\s\S]{0,300}?Active: (?:failed|inactive)",
    "FM version[^\n]{0,60}driver version",
)  # fmt: skip
_TOLD = words(r"fabric ?manager[^\n.]{0,40}\b(?:never|not|n't) (?:been )?(?:installed|running|started|enabled)")
_ABSENT = words(r"nvidia-fabricmanager[^\n]{0,80}(?:not found|could not be found)")
# Only machines with NVSwitch need it; on others it is absent, or ends at once.
_SWITCHED = words(
    r"\bSXM\d?\b", r"\b[HD]GX\b", "nvswitch", r"\bH[128]00 80GB HBM3", r"\bH200\b(?! NVL)", r"\bG?B[23]00\b"
)
_NO_SWITCH = words("NV_WARN_NOTHING_TO_DO", r"WARNING Nothing to do", "NVSwitch devices? not found")


def check(seen: Evidence) -> Hit | None:
    waits = codes.cuda_codes(seen).get(802)
    down = None if placement.gpu_seen(seen) or seen.find(_NO_SWITCH) else seen.find(_DOWN)
    if waits or down:
        return proven("the fabric manager does not run, or not in the driver's version: CUDA is not ready", waits, down)
    if (told := seen.told(_TOLD)) and not placement.gpu_seen(seen) and not seen.find(_NO_SWITCH):
        return likely("the fabric manager does not run: CUDA waits for it", told)
    absent = seen.find(_ABSENT) if seen.find(_SWITCHED) and not placement.gpu_seen(seen) else None
    return possible("a machine with NVSwitch has no fabric manager", absent) if absent else None


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
        "$ systemctl status nvidia-fabricmanager nvidia-persistenced\nUnit nvidia-fabricmanager.service could not be found.\n  Active: active (running)",
        "$ systemctl status nvidia-fabricmanager\n     Active: failed (Result: exit-code)\nnv-fabricmanager: request to query NVSwitch device information from NVSwitch driver failed with error:WARNING Nothing to do [NV_WARN_NOTHING_TO_DO]",
        "    Fabric\n        State                             : Completed\n        Status                            : Success",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

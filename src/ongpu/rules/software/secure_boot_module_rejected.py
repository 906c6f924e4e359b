"""Secure Boot rejects the NVIDIA kernel module.

What it means: The module is built, and the kernel refuses it because its signature's key is not enrolled.
Why it matters: The driver cannot load; no program can use the GPU.
How it comes about: A module built on the host (DKMS, the .run installer) on a machine with Secure Boot, without its
  key enrolled.
Fix: Enrol the key that the module is signed with: mokutil --import asks for a new password; restart, and at the machine's
  console choose "Enroll MOK" and type that password (it is asked once, at this restart only). Or use the
  distribution's signed modules, or switch Secure Boot off in the firmware. Ubuntu keeps the key as
  /var/lib/shim-signed/mok/MOK.der.
Fix safety: manual; needs the console.
References: kernel/module/signing.c; mokutil(1).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes
from ongpu.rules.rule import Hit, Rule, likely, proven

_REJECTED = words(
    "Key was rejected by service", "Required key not available", r"loading of (?:unsigned module|module with[^\n]{0,60}) is rejected",
    r"Lockdown: \S+: unsigned module loading is restricted", r"could not insert '?nvidia\S*: Operation not permitted",
    r"insmod: ERROR[^\n]{0,60}nvidia[^\n]{0,60}Operation not permitted",
)  # fmt: skip
_ON = words(r"SecureBoot enabled", r"Secure ?Boot: (?:enabled|on)\b")
_TOLD = words(
    r"\bSecure ?Boot\b[^\n.]{0,30}\b(?:on|enabled|active)\b",
    r"\bMOK\b[^\n.;]{0,60}\b(?:skipped|missed|never|not enrol\w+|not been enrol\w+)",
    r"\benroll?(?:ing|ed) (?:the|a|my) (?:MOK|key)\b",
)


def check(seen: Evidence) -> Hit | None:
    on = seen.find(_ON)
    if line := seen.find(_REJECTED):
        return proven("Secure Boot rejects the NVIDIA kernel module", line, on)
    told = None if on else seen.told(_TOLD)
    on = on or (told if told and told.kind in ("prose", "text") else None)
    silent = codes.nvml_codes(seen).get(9)
    return likely("Secure Boot is on and the NVIDIA module is not loaded", on, silent) if on and silent else None


RULE = Rule(
    id="SW-007",
    slug="secure-boot-module-rejected",
    severity="critical",
    check=check,
    needs=("system", "kernel", "smi"),
    explains=("driver-not-running", "module-missing-for-kernel", "nvidia-uvm-not-loaded"),
    commands=(
        "sudo mokutil --import /var/lib/dkms/mok.pub",
        "sudo systemctl reboot",
    ),
    fires=(
        "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service",
        "Loading of unsigned module is rejected",
        "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7",
    ),
    quiet=("nvidia: module verification failed: signature and/or required key missing - tainting kernel",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

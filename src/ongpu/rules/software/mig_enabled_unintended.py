"""MIG mode is on and there is no instance that could be used.

What it means: The GPU is in multi-instance mode, in which only its instances run programs, and none was made.
Why it matters: CUDA finds no device; Ollama runs on the CPU.
How it comes about: MIG mode was left on by an earlier user, or its instances were lost at the last restart.
Fix: If nobody wants instances here, switch it off with nothing running on the GPU, with the commands below. Else make
  an instance (sudo nvidia-smi mig -lgip lists the profiles, sudo nvidia-smi mig -cgi PROFILE -C makes one) and restart
  Ollama.
Fix safety: manual; ends everything on the GPU.
References: NVIDIA MIG user guide; nvidia-smi MIG M. column.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import codes, mig, placement
from ongpu.rules.rule import Fill, Hit, Rule, likely, possible, proven


def check(seen: Evidence) -> Hit | None:
    enabled, none = mig.enabled(seen), mig.none(seen)
    if none and enabled:
        return proven("MIG is on and has no instances", none, enabled)
    if enabled is None or mig.instance(seen):
        return None
    if nothing := placement.no_gpu(seen) or codes.cuda_codes(seen).get(100):
        return likely("MIG is on, no instance is listed, and Ollama found no GPU", enabled, nothing)
    return possible("MIG is on and no instance is listed", enabled)


RULE = Rule(
    id="SW-016",
    slug="mig-enabled-unintended",
    severity="warning",
    check=check,
    needs=("smi",),
    explains=("mig-single-instance-limit", "nvidia-uvm-not-loaded"),
    commands=(
        "sudo systemctl stop ollama nvidia-persistenced",
        "sudo nvidia-smi -i INDEX -mig 0",
        "sudo systemctl start nvidia-persistenced ollama",
    ),
    fills=(Fill("INDEX", words(r"^GPU (\d{1,2}): MIG Mode Current : Enabled")),),
    fires=(
        "|                                         |                        |              Enabled |\ncuInit err: 100",
        "    MIG Mode\n        Current                           : Enabled\nNo MIG devices found",
    ),
    quiet=("|                                         |                        |             Disabled |",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

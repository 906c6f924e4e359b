"""This Ollama release filters MIG instances out.

What it means: Ollama found the MIG instance and then dropped it in its validation pass.
Why it matters: The instance works for other programs; Ollama runs on the CPU.
How it comes about: Releases from 0.13.2 on validate each device by an index that does not select a MIG instance.
Fix: Set CUDA_VISIBLE_DEVICES to the instance's MIG UUID (nvidia-smi -L) for the service; else use 0.13.1 or a release
  that has the correction, or switch MIG off.
Fix safety: restart.
References: Ollama discover/runner.go ("filtering device which didn't fully initialize").
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import mig, placement
from ongpu.rules.rule import Hit, Rule, likely, proven

_FILTERED = words("filtering device which didn't fully initialize")


def check(seen: Evidence) -> Hit | None:
    instance, filtered = mig.instance(seen), seen.find(_FILTERED)
    if instance and filtered:
        return proven("Ollama filters the MIG instance out in its validation pass", filtered, instance)
    if filtered and (enabled := mig.enabled(seen)) and not mig.none(seen):
        return proven("Ollama filters a GPU in MIG mode out in its validation pass", filtered, enabled)
    if instance and (nothing := placement.no_gpu(seen)):
        return likely("there is a MIG instance and Ollama found no GPU", nothing, instance)
    return None


RULE = Rule(
    id="SW-014",
    slug="mig-discovery-regression",
    severity="critical",
    check=check,
    needs=("smi", "log"),
    explains=("mig-single-instance-limit", "mig-enabled-unintended", "container-without-gpu"),
    fires=(
        "  MIG 1g.24gb     Device  0: (UUID: MIG-00000001-aaaa-bbbb-cccc-000000000001)\n"
        'level=INFO source=types.go:60 msg="inference compute" id=cpu library=cpu',
        "  MIG 2g.10gb     Device  0: (UUID: MIG-00000001-aaaa-bbbb-cccc-000000000001)\n"
        'level=DEBUG source=runner.go:200 msg="filtering device which didn\'t fully initialize" id=0 library=CUDA',
    ),
    quiet=("GPU 0: NVIDIA H100 NVL (UUID: GPU-00000001-aaaa-bbbb-cccc-000000000001)",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""A process uses one MIG instance only.

What it means: The GPUs are cut into MIG instances, and CUDA gives a process the first instance alone.
Why it matters: A model that needs more than one instance runs partly on the CPU, and the others stay unused.
How it comes about: This is how MIG works: instances cannot be joined.
Fix: Make one larger instance, switch MIG off, or run one Ollama service per instance with CUDA_VISIBLE_DEVICES set to
  its MIG UUID.
Fix safety: manual; changing instances ends everything on the GPU.
References: NVIDIA MIG user guide, CUDA device enumeration.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import mig
from ongpu.rules.rule import Hit, Rule, likely, possible

# error: nvidia-smi exited: [Insufficient Permissions]      (releases to 0.1.17 asked nvidia-smi for the whole GPU's memory)
_REFUSED = words(r"\[Insufficient Permissions\]", "nvidia-smi exited[^\n]{0,60}Insufficient Permissions")


def check(seen: Evidence) -> Hit | None:
    instances = mig.instances(seen)
    if len(instances) > 1:
        return likely(f"{len(instances)} MIG instances are there; a process uses one of them", *instances[:3])
    enabled = mig.enabled(seen)
    refused = seen.find(_REFUSED)
    if refused and (instance := mig.instance(seen)):
        return likely("this release does not know MIG: it may not read the whole GPU's memory", refused, instance)
    if not instances and enabled:
        return possible("MIG is on: a process uses one instance only", enabled)
    return None


RULE = Rule(
    id="SW-015",
    slug="mig-single-instance-limit",
    severity="warning",
    check=check,
    needs=("smi",),
    explains=("model-too-large", "model-slightly-too-large", "output-layer-too-large"),
    fires=(
        "  MIG 1g.10gb     Device  0: (UUID: MIG-1-aaaa)\n  MIG 1g.10gb     Device  1: (UUID: MIG-2-bbbb)",
        "|                                         |                        |              Enabled |",
    ),
    quiet=("  MIG 7g.80gb     Device  0: (UUID: MIG-1-aaaa)",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""GPU memory was not free again in time after a model was unloaded.

What it means: After an unload Ollama waits five seconds for the memory to come back; it did not.
Why it matters: The next model is placed with the old, too low figure, and a part of it may go to the CPU.
How it comes about: A slow driver, another program that took the memory, or a vGPU.
Fix: Unload and load the model again (ollama stop NAME). If it happens often, see what else uses the GPU (nvidia-smi),
  and enable nvidia-persistenced.
Fix safety: safe.
References: Ollama server/sched.go ("gpu VRAM usage didn't recover within timeout").
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_SAID = words(r"VRAM usage didn't recover within timeout[^\n]{0,120}")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("GPU memory was not free again in time after an unload", line) if line else None


RULE = Rule(
    id="CALL-017",
    slug="vram-not-released",
    severity="info",
    check=check,
    needs=("log",),
    fires=(
        'level=WARN source=sched.go:676 msg="gpu VRAM usage didn\'t recover within timeout" seconds=5.25 runner.size="10.1 GiB"',
    ),
    quiet=("load_tensors: offloaded 33/33 layers to GPU",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

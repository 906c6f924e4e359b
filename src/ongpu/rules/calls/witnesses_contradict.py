"""Ollama and the driver contradict each other.

What it means: Ollama says that the model is fully on the GPU, and the driver shows no memory of it there.
Why it matters: One of the two is wrong, and the speed may be that of the CPU although ollama ps says 100 % GPU.
How it comes about: A runner that started before the driver was replaced or the machine slept, figures that Ollama
  took from the file's size, or a process list that does not reach into this container.
Fix: Unload and load the model again (ollama stop NAME) and look at nvidia-smi while it answers. If it stays, restart
  Ollama; then look at its log for the first CUDA error.
Fix safety: restart.
References: Ollama issues 8426 and 9068; measured: /api/ps keeps old figures after its runner was killed.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus, placement
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(r"is 100% GPU for Ollama, and its runner \d+ holds no memory on any GPU")  # a snapshot's own words
_NO_PROCESS = words("No running processes found")
_MIB = 2**20


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_SAID):
        return proven("the driver shows no memory of a model that Ollama calls fully on the GPU", line)
    nobody, rows = seen.find(_NO_PROCESS), gpus.smi_rows(seen)
    full = next((row for row in placement.residents(seen) if row.cpu_percent == 0), None)
    used = sum(row.used_mib for row in rows) * _MIB
    if nobody and rows and full and used < 0.2 * full.size_bytes:
        return likely(f"{full.name} is 100 % GPU for Ollama, and the GPU is empty for the driver", full.line, nobody)
    return None


RULE = Rule(
    id="CALL-021",
    slug="witnesses-contradict",
    severity="warning",
    check=check,
    needs=(
        "ps",
        "smi",
    ),
    fires=(
        "|  0%   35C    P8    12W / 350W |      3MiB / 24576MiB |      0%      Default |\n|  No running processes found                                                 |\nllama3.1:8b    46e0c10c039e    6.2 GB    100% GPU    4096    Forever",
    ),
    quiet=(
        "|  0%   35C    P2   120W / 350W |   6303MiB / 24576MiB |     90%      Default |\nllama3.1:8b    46e0c10c039e    6.2 GB    100% GPU    4096    Forever",
    ),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

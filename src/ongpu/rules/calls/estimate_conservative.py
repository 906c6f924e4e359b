"""Ollama's estimate leaves GPU memory unused.

What it means: The estimate of older releases is higher than the real need: layers stay on the CPU beside free memory.
Why it matters: The model would fit, or nearly, and runs slower than it could.
How it comes about: Releases before 0.11.5 estimate the buffers; some models' are estimated far too high.
Fix: Upgrade Ollama (0.11.5 and later measure), or set num_gpu 999 for this model and watch for "out of memory".
Fix safety: safe.
References: Ollama release notes of 0.11.5 (OLLAMA_NEW_ESTIMATES).
"""

from __future__ import annotations

from ongpu.rules.action import Action, Unload
from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import gpus, placement, settings
from ongpu.rules.rule import Hit, Rule, likely, possible

_FITS = words(r"num_gpu[\"' :=]{1,4}(?:99|999)\b", r"num_gpu[^\n]{0,60}(?:fits?|100 ?% GPU|works)")


def check(seen: Evidence) -> Hit | None:
    partial = next((row for row in placement.residents(seen) if 0 < row.cpu_percent < 100), None)
    part = next((line for some, whole, line in placement.layers(seen) if 0 < some < whole), None)
    symptom = partial.line if partial else part
    if symptom is None:
        return None
    fits = seen.told(_FITS)
    if fits and (len(placement.residents(seen)) > 1 or any(n >= 99 for n, _ in settings.layers_asked(seen))):
        return likely("with num_gpu 999 the model fits: the estimate was too high", fits, symptom)
    rows = gpus.smi_rows(seen)
    if rows and partial:
        free = sum(row.total_mib - row.used_mib for row in rows) * 2**20
        on_cpu = partial.size_bytes * partial.cpu_percent / 100
        if 0.8 * on_cpu < free:
            make = likely if free > 1.5 * on_cpu else possible
            return make(
                f"{free / 2**30:.1f} GiB of GPU memory stay free while part of the model is on the CPU",
                symptom,
                rows[0].line,
            )
    return None


def _repair(seen: Evidence) -> tuple[Action, ...]:
    """Whoever asks for it again gets it again: the client has to be told as well."""
    resident = tuple(row.name for row in placement.residents(seen) if row.cpu_percent)
    return (Unload(resident),) if resident else ()


RULE = Rule(
    id="CALL-006",
    slug="estimate-conservative",
    severity="warning",
    check=check,
    needs=("ps", "smi"),
    explains=("model-slightly-too-large",),
    repair=_repair,
    fires=(
        "|  N/A  40C    P0         N/A /    N/A |     7220MiB /   24576MiB |     30%      Default |\nqwen2.5:7b aaaaaaaaaaaa 8.9 GB 12%/88% CPU/GPU 4 minutes from now",
    ),
    quiet=("qwen2.5:7b aaaaaaaaaaaa 8.9 GB 100% GPU 4 minutes from now",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

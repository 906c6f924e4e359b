"""The CPU has no AVX, which Ollama's GPU runners were built with.

What it means: Ollama's CUDA runners need CPU instructions that this processor, or its virtual machine, lacks.
Why it matters: The GPU is not used although it would work.
How it comes about: A processor from before 2011, a Celeron or Pentium of some generations, or a virtual machine with
  a CPU model such as kvm64 or qemu64, on an Ollama release before 0.5.8.
Fix: In a virtual machine set the CPU type to host. Otherwise upgrade Ollama to 0.5.8 or later, or build the runner
  without AVX.
Fix safety: manual; the virtual machine has to be restarted.
References: Ollama issue 7622 and discover/gpu.go before 0.5.8; release notes of 0.5.8.
"""

from __future__ import annotations

import re

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.pattern import regex
from ongpu.rules.rule import Hit, Rule, likely, proven

_SAID = words(
    "CPU does not have (?:AVX|minimum vector|vector)", "(?:AVX|vector extensions?)[^\n]{0,60}GPU (?:support|inference|runner)?[^\n]{0,20}disabl",
    "GPU (?:runner|support)[^\n]{0,60}(?:incompatible|disabled)[^\n]{0,60}AVX", "CPU (?:lacks|has no|without) AVX", "signal: illegal instruction", r"Illegal instruction \(core dumped\)",
)  # fmt: skip
_TOLD = words(
    r"\b(?:no|without|lack\w*|missing|mask\w*|hid(?:es|den)|not? (?:have|support|expose|pass)\w*)\b[^\n.]{0,40}\bAVX2?\b",
    r"\bAVX2?\b[^\n.]{0,40}\b(?:not (?:there|available|exposed|supported|passed)|missing|masked|disabled)\b",
)
# A terminal wraps this long line anywhere, in the middle of a word too.
_FLAGS = regex(r"^\s*[Ff]lags\s*: *([^\n]*(?:\n[a-z0-9_ ]{2,300}$){0,60})", re.MULTILINE)


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_SAID):
        return proven("Ollama leaves the GPU out because the CPU has no AVX", line)
    for hit in seen.all(_FLAGS):
        flags = hit.match[1].lower()
        if "sse2" in flags.split() and "avx" not in flags.replace("\n", ""):
            return likely("the CPU has no AVX, and Ollama's GPU runners before 0.5.8 need it", hit.line)
    if (told := seen.told(_TOLD)) and told.kind in ("prose", "text"):
        return likely("the CPU that Ollama sees has no AVX, and its GPU runners before 0.5.8 need it", told)
    return None


RULE = Rule(
    id="HW-004",
    slug="cpu-lacks-avx",
    severity="critical",
    check=check,
    needs=("log", "system"),
    explains=("install-incomplete",),
    fires=(
        'level=INFO source=common.go:131 msg="GPU runner incompatible with host system, CPU does not have AVX" runner=cuda_v12_avx',
        'level=WARN source=gpu.go:224 msg="CPU does not have minimum vector extensions, GPU inference disabled" required=avx detected="no vector extensions"',
        "2024/01/15 10:00:00 gpu.go:94: CPU does not have AVX or AVX2, disabling GPU support.",
        "flags : fpu vme sse sse2 ssse3 cx16 sse4_1 lahf_lm",
    ),
    quiet=("Flags:  fpu sse sse2 ssse3 sse4_1 sse4_2 avx f16c avx2",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

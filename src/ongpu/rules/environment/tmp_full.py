"""There is no space to unpack Ollama's runners or to write its files.

What it means: Older releases unpack their runners to the temporary directory at start, and it is full.
Why it matters: The GPU runners are missing, so models run on the CPU or do not load.
How it comes about: A small tmpfs on /tmp, or a full disk.
Fix: Free or enlarge the file system, or set OLLAMA_TMPDIR (TMPDIR since 0.5.8) to a larger one, restart Ollama; upgrade
  to a release that does not unpack (0.5.8 and later).
Fix safety: restart.
References: Ollama docs/troubleshooting.mdx.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, likely, proven

_FULL = words(
    r"(?:runners?|extract|payload|/tmp|tmpdir|lib/ollama)[^\n]{0,200}no space left on device",
    r"no space left on device[^\n]{0,120}(?:runners?|/tmp|lib/ollama)",
    r"(?:runners?|/tmp)[^\n]{0,200}disk quota exceeded",
)
_ANY = words("no space left on device")


def check(seen: Evidence) -> Hit | None:
    if line := seen.find(_FULL):
        return proven("there is no space left to unpack Ollama's runners", line)
    line = seen.find(_ANY)
    return likely("a file system is full", line) if line else None


RULE = Rule(
    id="ENV-004",
    slug="tmp-full",
    severity="critical",
    check=check,
    needs=("log", "text"),
    explains=("install-incomplete",),
    fires=(
        'level=ERROR source=common.go:214 msg="failed to extract files" error="copy payload linux/arm64/cuda_v12/libggml.so: write /tmp/ollama7/runners/cuda_v12/libggml.so: no space left on device"',
    ),
    quiet=("tmpfs  3.9G  12M  3.9G  1% /tmp",),
    unknown=("llama3:latest 365c0bd3c000 5.4 GB 100% GPU Forever",),
)

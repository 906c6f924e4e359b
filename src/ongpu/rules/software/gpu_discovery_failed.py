"""The search for GPUs broke off with an error.

What it means: The helper that lists the GPUs for one of Ollama's libraries ended with an error, so none of its GPUs
  is used.
Why it matters: Where no other library finds the GPU, models run on the CPU until the next start.
How it comes about: A damaged or mixed installation, a library that crashes with this driver or this processor, or a
  missing file.
Fix: Run the helper by hand to see the reason: sudo -u ollama /usr/local/lib/ollama/llama-server --list-devices.
  Install the complete release again; if only one library fails, name the other in OLLAMA_LLM_LIBRARY. Restart Ollama.
Fix safety: restart.
References: Ollama discover/runner.go ("failure during llama-server GPU discovery").
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.facts import placement
from ongpu.rules.rule import Hit, Rule, likely, possible

_SAID = words(r"failure during (?:llama-server )?GPU discovery[^\n]{0,500}")
_OTHER = ("deadline exceeded", "before timeout", "context canceled", "binary not found")  # they have rules of their own
_OTHERS = ("/rocm]", "/vulkan]")  # a trial of libraries for other makers' cards


def check(seen: Evidence) -> Hit | None:
    failed = [hit.line for hit in seen.all(_SAID) if not any(text in hit.line.text for text in (*_OTHER, *_OTHERS))]
    if not failed:
        return None
    make = likely if placement.none_found(seen) else possible
    return make("the search for GPUs broke off with an error", failed[0], placement.none_found(seen))


RULE = Rule(
    id="SW-054",
    slug="gpu-discovery-failed",
    severity="critical",
    check=check,
    needs=("log",),
    explains=("install-incomplete",),
    fires=(
        'level=INFO source=runner.go:513 msg="failure during llama-server GPU discovery" OLLAMA_LIBRARY_PATH="[/usr/local/lib/ollama /usr/local/lib/ollama/cuda_v13]" error="llama-server --list-devices failed: exit status 132"\nlevel=INFO msg="inference compute" id=cpu library=cpu',
    ),
    quiet=('level=DEBUG source=runner.go:42 msg="GPU bootstrap discovery took" duration=2.1s',),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

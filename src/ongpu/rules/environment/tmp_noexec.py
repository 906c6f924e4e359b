"""Programs may not run from the directory of Ollama's runners.

What it means: Ollama's runners lie on a file system that is mounted noexec.
Why it matters: No runner starts: models do not load, or only by a fallback.
How it comes about: /tmp is hardened with noexec and the release unpacks its runners there (before 0.5.8), or lib/ollama
  lies on such a mount.
Fix: Set OLLAMA_TMPDIR (or TMPDIR) for the service to a directory on a file system without noexec, restart Ollama; or
  upgrade to 0.5.8 or later.
Fix safety: restart.
References: Ollama docs/troubleshooting.mdx; mount(8).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, likely, proven

_DENIED = words(
    r"fork/exec /\S+: permission denied",
    r"(?:/tmp|runners|lib/ollama)\S*[^\n]{0,80}failed to map segment from shared object",
    r"exec[^\n]{0,40}ollama_llama_server[^\n]{0,60}permission denied",
)
_MOUNT = words(r"^[^\n]{0,120}\s(?:/var)?/tmp\s[^\n]{0,120}noexec", r"/tmp[^\n]{0,60}noexec", r"noexec[^\n]{0,40}/tmp")


def check(seen: Evidence) -> Hit | None:
    mount = seen.told(_MOUNT)
    if line := seen.find(_DENIED):
        return proven("Ollama's runner may not be run from where it lies (noexec)", line, mount)
    return likely("/tmp is mounted noexec, where older releases unpack their runners", mount) if mount else None


RULE = Rule(
    id="ENV-005",
    slug="tmp-noexec",
    severity="critical",
    check=check,
    needs=("log", "system", "call", "text"),
    fires=(
        "Error: error starting the external llama server: fork/exec /tmp/ollama7/runners/cpu_avx2/ollama_llama_server: permission denied",
        "libggml.so: failed to map segment from shared object in /tmp/ollama7: /tmp/ollama7/runners/cuda_v11/libggml.so: failed to map segment from shared object",
    ),
    quiet=("tmpfs on /tmp type tmpfs (rw,nosuid,nodev)",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

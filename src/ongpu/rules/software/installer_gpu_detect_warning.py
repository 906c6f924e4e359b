"""Only Ollama's installer did not see a GPU.

What it means: The installation script looked with lspci or lshw and found no card; the server looks by itself.
Why it matters: Usually it does not matter: the warning says nothing about what the running server uses.
How it comes about: lspci or lshw is not installed, WSL or a container hides the PCI bus, or a virtual machine's card
  has an unusual class.
Fix: Look at the server's own words (journalctl -u ollama, line "inference compute") and at ollama ps.
Fix safety: safe; nothing has to be changed.
References: Ollama scripts/install.sh (check_gpu).
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Hit, Rule, proven

_WARNING = words(r"WARNING: (?:No|Unable to detect) (?:NVIDIA|AMD|GPU)[^\n]{0,80}", r"Unable to detect NVIDIA/AMD GPU")


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_WARNING)
    return proven("only the installer saw no GPU, which says nothing about the running server", line) if line else None


RULE = Rule(
    id="SW-028",
    slug="installer-gpu-detect-warning",
    severity="info",
    check=check,
    needs=("package", "text"),
    fires=(
        "WARNING: No NVIDIA/AMD GPU detected. Ollama will run in CPU-only mode.",
        "WARNING: Unable to detect NVIDIA/AMD GPU. Install lspci or lshw to automatically detect and install GPU dependencies.",
    ),
    quiet=(">>> NVIDIA GPU installed.",),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

"""Ollama does not start.

What it means: The server ended at once: it cannot use its address, its home or its models directory.
Why it matters: Nothing is served; systemd tries again every three seconds.
How it comes about: Another server has the port (often a second Ollama), the user may not enter the models directory
  or its parents, or HOME is not set.
Fix: Do what the line says: stop the other server (ss -ltnp | grep 11434), give the service's user its directory (sudo
  chown -R ollama: DIRECTORY; every parent needs x), or set HOME in the unit. Then restart Ollama.
Fix safety: restart.
References: Ollama cmd/cmd.go and server/routes.go; recorded with 0.33.
"""

from __future__ import annotations

from ongpu.rules.evidence import Evidence, words
from ongpu.rules.rule import Fill, Hit, Rule, proven

_SAID = words(
    r"Error: listen (?:tcp|unix)[^\n]{0,200}", r"^Error: \$HOME is not defined", r"ensure path elements are traversable",
    r"^Error: (?:mkdir|remove|open|could not create directory|stat)[^\n]{0,200}(?:permission denied|not a directory|read-only file system)",
    r"ollama[^\n]{0,60}bind: address already in use", r"ollama\.service: Start request repeated too quickly", r"ollama\.service: Failed to (?:load environment|determine user)[^\n]{0,80}",
    r"Failed at step (?:EXEC|USER|GROUP|CHDIR|NAMESPACE) spawning \S*ollama",
)  # fmt: skip


def check(seen: Evidence) -> Hit | None:
    line = seen.find(_SAID)
    return proven("Ollama does not start", line) if line else None


RULE = Rule(
    id="ENV-015",
    slug="server-does-not-start",
    severity="critical",
    check=check,
    needs=(
        "log",
        "text",
    ),
    commands=(
        "journalctl -u ollama -n 20 --no-pager",
        "sudo install -d -o ollama -g ollama DIRECTORY",
        "sudo chown -R ollama: DIRECTORY",
        "sudo systemctl restart ollama",
    ),
    fills=(Fill("DIRECTORY", words(r"\b(?:mkdir|open) (/\S{1,200}?)(?:/id_ed25519)?: permission denied")),),
    fires=(
        "Error: listen tcp 127.0.0.1:11434: bind: address already in use",
        "Error: mkdir /data/models/blobs: permission denied: ensure path elements are traversable",
        "Error: $HOME is not defined",
    ),
    quiet=('level=INFO source=routes.go msg="Listening on 127.0.0.1:11434 (version 0.33.0)"',),
    unknown=("OLLAMA_HOST=0.0.0.0",),
)

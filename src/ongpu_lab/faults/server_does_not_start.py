"""Ollama's home belongs to root: the server may not write its key there, and ends."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_HOME = "/usr/share/ollama"


def apply(target: Target) -> None:
    _service.require(target)
    target.sh(f"""
systemctl stop ollama.service
rm -f {_HOME}/.ollama/id_ed25519*
chown root:root {_HOME}/.ollama
systemctl start --no-block ollama.service
for i in $(seq 100); do
  journalctl --sync
  ! journalctl --quiet --boot --unit ollama.service --lines 20 | grep -q 'permission denied' || exit 0
  sleep 0.1
done
echo "Ollama does not end" >&2
exit 1
""")


def clear(target: Target) -> None:
    target.sh(f"""
systemctl stop ollama.service
chown ollama:ollama {_HOME}/.ollama
systemctl reset-failed ollama.service 2>/dev/null || :
""")
    _service.start(target)

"""Ollama runs in a container instead of the service, and the container was given no GPU."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_UNIT = "docker-3f9c0d17a2b4"  # the control group of a container is named like that
_HOME = "/usr/share/ollama"


def apply(target: Target) -> None:
    _service.require(target)
    target.sh(f"""
systemctl stop ollama.service
systemd-run --quiet --collect --unit {_UNIT} --property PrivateDevices=yes --property User=ollama \\
  --setenv HOME={_HOME} --setenv OLLAMA_MODELS={_HOME}/.ollama/models /usr/local/bin/ollama serve
for i in $(seq 100); do
  curl --silent --fail --output /dev/null http://127.0.0.1:11434/api/version && exit 0
  sleep 0.1
done
echo "the container's Ollama does not answer" >&2
exit 1
""")


def clear(target: Target) -> None:
    target.sh(f"systemctl stop {_UNIT} 2>/dev/null || :")
    _service.start(target)

"""The CUDA libraries are gone from Ollama's installation, as when a download was cut off."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_KEPT = "/root/lab-ollama"


def apply(target: Target) -> None:
    _service.require(target)
    target.sh(f"""
lib=$(dirname "$(dirname "$(readlink -f /usr/local/bin/ollama)")")/lib/ollama
mkdir -p {_KEPT}
for directory in "$lib"/cuda_v* "$lib"/vulkan; do [ ! -e "$directory" ] || mv "$directory" {_KEPT}/; done
""")
    _service.restart(target)


def clear(target: Target) -> None:
    target.sh(f"""
lib=$(dirname "$(dirname "$(readlink -f /usr/local/bin/ollama)")")/lib/ollama
[ ! -d {_KEPT} ] || {{ cp -a {_KEPT}/. "$lib"/; rm -rf {_KEPT}; }}
""")
    _service.restart(target)

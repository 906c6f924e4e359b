"""A draft model lies fully on the GPU, its main model only in part; Ollama shows the draft's numbers: 100 % GPU."""

from __future__ import annotations

from ongpu_lab.faults import _service
from ongpu_lab.faults.base import Target

_NAME = "91-draft"
_DRAFT = "/var/lib/ongpu-lab/draft.gguf"
# Any model of the store will do.
_COPY = f"""
for blob in $(find / -xdev -path '*/models/blobs/sha256-*' -size +2k 2>/dev/null); do
  if [ "$(head -c 4 "$blob")" = GGUF ]; then mkdir -p {_DRAFT.rpartition("/")[0]}; cp "$blob" {_DRAFT}; break; fi
done
[ -f {_DRAFT} ] || {{ echo 'no model in the store yet' >&2; exit 1; }}
"""


def apply(target: Target) -> None:
    _service.require(target)
    target.sh(_COPY)
    _service.drop_in(target, _NAME, f"LLAMA_ARG_N_GPU_LAYERS=2 LLAMA_ARG_SPEC_DRAFT_MODEL={_DRAFT}")


def clear(target: Target) -> None:
    target.sh(f"rm -f {_DRAFT}")
    _service.remove_drop_in(target, _NAME)

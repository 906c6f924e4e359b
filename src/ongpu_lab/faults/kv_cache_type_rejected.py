"""A cache type that no runner knows: every load fails."""

from __future__ import annotations

from ongpu_lab.faults import _load, _service
from ongpu_lab.faults.base import Target

_NAME = "90-kv-cache-type-rejected"


def apply(target: Target) -> None:
    _service.drop_in(target, _NAME, "OLLAMA_KV_CACHE_TYPE=q9_9")
    _load.load(target, may_fail=True)


def clear(target: Target) -> None:
    _service.remove_drop_in(target, _NAME)

"""defaults < groups in the host's order < host; and the hosts that a range stands for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# gpu-a[001:400]
_RANGE = re.compile(r"\[(\d+):(\d+)\]")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Maps merge, scalars and lists replace, null removes."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = merge(old if isinstance(old, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def expand(name: str) -> list[str]:
    """`gpu[01:03]` -> gpu01, gpu02, gpu03. Raises ValueError for a range that runs backwards or is too large."""
    match = _RANGE.search(name)
    if not match:
        return [name]
    first, last = int(match[1]), int(match[2])
    if last < first or last - first >= 100_000:
        raise ValueError(f"{name}: the range {match[0]} must rise, and hold fewer than 100,000 hosts")
    width = len(match[1])
    return [
        host
        for number in range(first, last + 1)
        for host in expand(f"{name[: match.start()]}{number:0{width}d}{name[match.end() :]}")
    ]

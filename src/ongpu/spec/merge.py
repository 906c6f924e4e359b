"""defaults < groups in the host's order < host; and the hosts that a range stands for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# gpu-a[001:400]
_RANGE = re.compile(r"\[([0-9]{1,9}):([0-9]{1,9})\]")
MAX_HOSTS = 100_000


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


def nulls(base: Mapping[str, Any], over: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The path of each null in `over`, and whether `base` has that key, so that the null removes something."""
    for key, value in over.items():
        if value is None:
            yield (key,), key in base
        elif isinstance(value, Mapping):
            old = base.get(key)
            for path, removes in nulls(old if isinstance(old, Mapping) else {}, value):
                yield (key, *path), removes


def expand(name: str) -> list[str]:
    """`gpu[01:03]` -> gpu01, gpu02, gpu03. Raises ValueError for a range that runs backwards or is too large."""
    found = [name]
    count = 1
    for first, last in _RANGE.findall(name):
        count *= int(last) - int(first) + 1
        if int(last) < int(first) or count > MAX_HOSTS:
            raise ValueError(f"{name}: a range must rise, and hold at most {MAX_HOSTS:,} hosts")
    while match := _RANGE.search(found[0]):
        first, last, width = int(match[1]), int(match[2]), len(match[1])
        numbers = [f"{number:0{width}d}" for number in range(first, last + 1)]
        found = [_RANGE.sub(number, one, count=1) for one in found for number in numbers]
    return found
